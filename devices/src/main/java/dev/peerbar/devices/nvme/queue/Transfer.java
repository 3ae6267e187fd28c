package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Scratch;
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

  private Dma dma;
  private BooleanSupplier over = () -> true;
  private int pageSize;

  private int parameter;
  private long lba;
  private StorageException.Kind storageFailure;

  Transfer(ControllerMemory memory) {
    pointer = new DataPointer(memory);
  }

  /** Begins the work of a job. */
  void job(Dma newDma, int newPageSize, BooleanSupplier newOver) {
    dma = newDma;
    pageSize = newPageSize;
    over = newOver;
  }

  /** Begins a command. */
  void begin() {
    parameter = Events.NO_PARAMETER;
    lba = 0;
    storageFailure = null;
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

  /** Moves data to where {@link #findTarget} found. */
  public Status scatter(MemorySegment from) throws JobEndedException {
    try {
      pointer.scatter(dma, from);
      return Status.SUCCESS;
    } catch (DmaFaultException fault) {
      return CommandErrors.INSTANCE.of(fault);
    }
  }

  /** Finds the command's data and reads it all. */
  public Status gather(SubmissionEntry command, MemorySegment into) throws JobEndedException {
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
