package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Scratch;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * The data of one command at a time, and what there is to say when it fails. For one engine's
 * thread.
 */
public final class Transfer {
  /** The most data of a command, in bytes: MDTS 7 in units of 4 KiB (NVMe 1.4 figure 247). */
  public static final int MOST_BYTES = DataPointer.MOST_BYTES;

  private static final int BIT_SHIFT = 8;

  private final DataPointer pointer;
  private final Scratch bounce = new Scratch(MOST_BYTES);
  private final Scratch other = new Scratch(MOST_BYTES);

  // Made once: nothing is allocated for a command.
  private final Storage.Taker<JobEndedException> scatterer = this::scatterShown;
  private int length;
  private Status scattered;

  private Dma dma;
  private BooleanSupplier over = () -> true;
  private int pageSize;
  private boolean inPlace;
  private long moved;

  private int parameter;
  private long lba;
  private StorageException.Kind storageFailure;

  Transfer(ControllerMemory memory) {
    pointer = new DataPointer(memory);
  }

  /**
   * Begins the work of a job.
   *
   * @param isInPlace whether it never waits
   */
  void job(Dma newDma, boolean isInPlace, int newPageSize, BooleanSupplier newOver) {
    dma = newDma;
    inPlace = isInPlace;
    pageSize = newPageSize;
    over = newOver;
  }

  /** Begins a command. */
  void begin() {
    parameter = Events.NO_PARAMETER;
    lba = 0;
    storageFailure = null;
  }

  /** Bytes of data moved so far, by all commands together; may overflow. */
  long moved() {
    return moved;
  }

  int parameter() {
    return parameter;
  }

  long lba() {
    return lba;
  }

  Optional<StorageException.Kind> storageFailure() {
    return Optional.ofNullable(storageFailure);
  }

  /**
   * Memory of this engine's own. What it holds is left from commands before.
   *
   * @param length in bytes, at most {@link #MOST_BYTES}
   */
  public MemorySegment buffer(long length) {
    return bounce.first(length);
  }

  /** More memory, as {@link #buffer}. */
  public MemorySegment secondBuffer(long length) {
    return other.first(length);
  }

  /**
   * Finds out where the command's data is to go, without moving it.
   *
   * @return SUCCESS, or what is wrong with the data pointer
   */
  public Status findTarget(SubmissionEntry command, int length) throws JobEndedException {
    return pointer.resolve(dma, command, pageSize, length, true);
  }

  /**
   * Whether {@link #scatter} never waits: where the data is, others may be kept from it meanwhile.
   */
  public boolean neverWaits() {
    return inPlace;
  }

  /** Moves data to where {@link #findTarget} found. */
  public Status scatter(MemorySegment from) throws JobEndedException {
    return scatter(from, 0, from.byteSize());
  }

  private Status scatter(MemorySegment from, long offset, long bytes) throws JobEndedException {
    moved += bytes;
    try {
      pointer.scatter(dma, from, offset);
      return Status.SUCCESS;
    } catch (DmaFaultException fault) {
      return CommandErrors.INSTANCE.of(fault);
    }
  }

  /**
   * For {@link Storage#show}: moves what is shown to where {@link #findTarget} found. {@link
   * #scattered} says what came of it.
   *
   * @param bytes of the data
   */
  public Storage.Taker<JobEndedException> scatterer(int bytes) {
    length = bytes;
    return scatterer;
  }

  private void scatterShown(MemorySegment memory, long offset) throws JobEndedException {
    scattered = scatter(memory, offset, length);
  }

  /** As {@link #scatter} would have answered. */
  public Status scattered() {
    return scattered;
  }

  /** Finds the command's data and reads it all. */
  public Status gather(SubmissionEntry command, MemorySegment into) throws JobEndedException {
    moved += into.byteSize();
    Status status = pointer.resolve(dma, command, pageSize, (int) into.byteSize(), false);
    if (status != Status.SUCCESS) {
      return status;
    }
    try {
      pointer.gather(dma, into);
      return Status.SUCCESS;
    } catch (DmaFaultException fault) {
      return CommandErrors.INSTANCE.of(fault);
    }
  }

  /**
   * To be called before storage is changed.
   *
   * @throws JobEndedException if the command's generation is over
   */
  public void checkLife() throws JobEndedException {
    if (over.getAsBoolean()) {
      throw new JobEndedException();
    }
  }

  /**
   * Says which parameter of the command is wrong.
   *
   * @param offset in the command, in bytes
   * @param bit 0 to 7
   */
  public void blame(int offset, int bit) {
    parameter = offset | bit << BIT_SHIFT;
  }

  /** Says where storage failed. */
  public void storageFailed(StorageException.Kind kind, long firstLba) {
    storageFailure = kind;
    lba = firstLba;
  }

  /** Says which block is to blame. */
  public void blameLba(long firstLba) {
    lba = firstLba;
  }
}
