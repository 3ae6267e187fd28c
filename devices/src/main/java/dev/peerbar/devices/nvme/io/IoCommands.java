package dev.peerbar.devices.nvme.io;

import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.devices.nvme.queue.IoHandler;
import dev.peerbar.devices.nvme.queue.Transfer;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.lang.foreign.MemorySegment;

/**
 * The NVM command set (NVMe 1.4 6) on one namespace, number 1, without metadata. Several engines'
 * threads.
 *
 * <p>A command is judged whole, its data pointer included, before anything is read or written; what
 * it writes is gathered whole before the first block changes.
 */
public final class IoCommands implements IoHandler {
  private static final int NAMESPACE = 1;
  private static final int ALL_NAMESPACES = 0xffff_ffff;

  // Where in a command, for error log entries: the byte of each field, and a bit.
  private static final int AT_FLAGS = 1;
  private static final int AT_PSDT_BIT = 6;
  private static final int AT_NAMESPACE = 4;
  private static final int AT_DATA_POINTER = 24;
  private static final int AT_FIRST_LBA = 40;
  private static final int AT_LENGTH = 48;

  private static final int PSDT_RESERVED = 3;

  // Dwords of a command, and fields of dword 12 (NVMe 1.4 6.9 and others). PRINFO is not looked at:
  // the namespace is formatted without protection information, so it says nothing (8.3).
  private static final int FIRST_LBA = 10;
  private static final int OPTIONS = 12;
  private static final int LENGTH_MASK = 0xffff;
  private static final int DEALLOCATE = 1 << 25;
  private static final int FORCE_UNIT_ACCESS = 1 << 30;

  private final Storage storage;
  private final int lbaSize;
  private final long blocks;
  private final IoCounters counters;
  private final DatasetManagement datasetManagement;
  private volatile boolean writeCache = true;

  /**
   * @param storage of which whole blocks are the namespace
   * @param lbaSize of a logical block in bytes, 512 or 4096
   */
  public IoCommands(Storage storage, int lbaSize, IoCounters counters) {
    this.storage = storage;
    this.lbaSize = lbaSize;
    this.counters = counters;
    blocks = storage.size() / lbaSize;
    datasetManagement = new DatasetManagement(storage, lbaSize, blocks);
  }

  /**
   * The Volatile Write Cache feature (NVMe 1.4 5.21.1.6). Off, every write is on stable storage
   * when it completes. On at first. Any thread.
   */
  public void writeCache(boolean enabled) {
    writeCache = enabled;
  }

  @Override
  public boolean mustWait(SubmissionEntry command) {
    IoOpcode opcode = IoOpcode.of(command.opcode());
    return switch (opcode) {
      case null -> false;
      case READ, COMPARE -> false;
      case WRITE, FLUSH -> storage.mayWait();
      case WRITE_ZEROES, VERIFY, DATASET_MANAGEMENT -> true;
    };
  }

  @Override
  public boolean takesLong(SubmissionEntry command) {
    IoOpcode opcode = IoOpcode.of(command.opcode());
    return switch (opcode) {
      case null -> false;
      case DATASET_MANAGEMENT -> true;
      case WRITE_ZEROES, VERIFY -> storage.mayWait() || length(command) > Transfer.MOST_BYTES;
      case FLUSH -> storage.mayWait();
      case WRITE -> storage.mayWait() && durable(command);
      case READ, COMPARE -> false;
    };
  }

  @Override
  public Status execute(SubmissionEntry command, Transfer transfer) throws JobEndedException {
    try {
      return judgeAndRun(command, transfer);
    } catch (StorageException e) {
      counters.mediaError();
      transfer.storageFailed(e.kind(), command.qword(FIRST_LBA));
      return switch (e.kind()) {
        case FULL -> Status.CAPACITY_EXCEEDED;
        case READ_FAILED -> Status.UNRECOVERED_READ_ERROR;
        case WRITE_FAILED -> Status.WRITE_FAULT;
      };
    }
  }

  @Override
  public void busy(long nanos) {
    counters.busy(nanos);
  }

  private Status judgeAndRun(SubmissionEntry command, Transfer transfer)
      throws StorageException, JobEndedException {
    IoOpcode opcode = IoOpcode.of(command.opcode());
    if (opcode == null) {
      transfer.blame(0, 0);
      return Status.INVALID_COMMAND_OPCODE;
    }
    if (command.fuse() != 0) {
      transfer.blame(AT_FLAGS, 0);
      return Status.INVALID_FIELD_IN_COMMAND;
    }
    if (command.psdt() == PSDT_RESERVED) {
      transfer.blame(AT_FLAGS, AT_PSDT_BIT);
      return Status.INVALID_FIELD_IN_COMMAND;
    }
    boolean everywhere = opcode == IoOpcode.FLUSH && command.namespaceId() == ALL_NAMESPACES;
    if (command.namespaceId() != NAMESPACE && !everywhere) {
      transfer.blame(AT_NAMESPACE, 0);
      return Status.INVALID_NAMESPACE_OR_FORMAT;
    }
    return switch (opcode) {
      case FLUSH -> flush(transfer);
      case DATASET_MANAGEMENT -> datasetManagement.execute(command, transfer);
      case READ, WRITE, COMPARE, WRITE_ZEROES, VERIFY -> onBlocks(opcode, command, transfer);
    };
  }

  private Status flush(Transfer transfer) throws StorageException, JobEndedException {
    transfer.checkLife();
    storage.flush();
    return Status.SUCCESS;
  }

  private Status onBlocks(IoOpcode opcode, SubmissionEntry command, Transfer transfer)
      throws StorageException, JobEndedException {
    long first = command.qword(FIRST_LBA);
    long length = length(command);
    boolean moves =
        opcode == IoOpcode.READ || opcode == IoOpcode.WRITE || opcode == IoOpcode.COMPARE;
    if (moves && length > Transfer.MOST_BYTES) {
      transfer.blame(AT_LENGTH, 0);
      return Status.INVALID_FIELD_IN_COMMAND;
    }
    if (first < 0 || first > blocks - length / lbaSize) {
      transfer.blame(AT_FIRST_LBA, 0);
      transfer.blameLba(first);
      return Status.LBA_OUT_OF_RANGE;
    }
    long position = first * lbaSize;
    return switch (opcode) {
      case READ -> read(command, transfer, position, (int) length);
      case WRITE -> write(command, transfer, position, (int) length);
      case COMPARE -> compare(command, transfer, position, (int) length);
      case WRITE_ZEROES -> writeZeroes(command, transfer, position, length);
      case VERIFY -> verify(transfer, position, length);
      case FLUSH, DATASET_MANAGEMENT -> throw new IllegalArgumentException(opcode.name());
    };
  }

  private Status read(SubmissionEntry command, Transfer transfer, long position, int length)
      throws StorageException, JobEndedException {
    Status status = transfer.findTarget(command, length);
    if (status != Status.SUCCESS) {
      transfer.blame(AT_DATA_POINTER, 0);
      return status;
    }
    status = move(transfer, position, length);
    if (status == Status.SUCCESS) {
      counters.read(length, true);
    }
    return status;
  }

  private Status move(Transfer transfer, long position, int length)
      throws StorageException, JobEndedException {
    if (transfer.neverWaits() && storage.show(position, length, transfer.scatterer(length))) {
      return transfer.scattered();
    }
    MemorySegment data = transfer.buffer(length);
    load(transfer, position, data);
    return transfer.scatter(data);
  }

  /** Reads blocks. */
  private void load(Transfer transfer, long position, MemorySegment into)
      throws StorageException, JobEndedException {
    if (!transfer.neverWaits()) {
      storage.read(position, into);
    } else if (!storage.readNow(position, into)) {
      throw MustWaitException.INSTANCE;
    }
  }

  /** Writes blocks. */
  private void store(Transfer transfer, long position, MemorySegment from, boolean durable)
      throws StorageException, JobEndedException {
    if (!transfer.neverWaits()) {
      storage.write(position, from, durable);
    } else if (!storage.writeNow(position, from, durable)) {
      throw MustWaitException.INSTANCE;
    }
  }

  private Status write(SubmissionEntry command, Transfer transfer, long position, int length)
      throws StorageException, JobEndedException {
    MemorySegment data = transfer.buffer(length);
    Status status = transfer.gather(command, data);
    if (status != Status.SUCCESS) {
      transfer.blame(AT_DATA_POINTER, 0);
      return status;
    }
    transfer.checkLife();
    store(transfer, position, data, durable(command));
    counters.wrote(length);
    return Status.SUCCESS;
  }

  private Status compare(SubmissionEntry command, Transfer transfer, long position, int length)
      throws StorageException, JobEndedException {
    MemorySegment data = transfer.buffer(length);
    Status status = transfer.gather(command, data);
    if (status != Status.SUCCESS) {
      transfer.blame(AT_DATA_POINTER, 0);
      return status;
    }
    MemorySegment stored = transfer.secondBuffer(length);
    load(transfer, position, stored);
    counters.read(length, false);
    long mismatch = data.mismatch(stored);
    if (mismatch >= 0) {
      transfer.blameLba((position + mismatch) / lbaSize);
      return Status.COMPARE_FAILURE;
    }
    return Status.SUCCESS;
  }

  private Status writeZeroes(SubmissionEntry command, Transfer transfer, long position, long length)
      throws StorageException, JobEndedException {
    boolean deallocate = (command.dword(OPTIONS) & DEALLOCATE) != 0;
    for (long done = 0; done < length; ) {
      transfer.checkLife();
      done += storage.zero(position + done, length - done, deallocate);
    }
    return durable(command) ? flush(transfer) : Status.SUCCESS;
  }

  /** Reads without a place to go, a buffer at a time. */
  private Status verify(Transfer transfer, long position, long length)
      throws StorageException, JobEndedException {
    for (long done = 0; done < length; done += Transfer.MOST_BYTES) {
      transfer.checkLife();
      long piece = Math.min(Transfer.MOST_BYTES, length - done);
      transfer.blameLba((position + done) / lbaSize);
      storage.read(position + done, transfer.buffer(piece));
    }
    counters.read(length, false);
    return Status.SUCCESS;
  }

  /** In bytes; the field is 0's based. */
  private long length(SubmissionEntry command) {
    return ((command.dword(OPTIONS) & LENGTH_MASK) + 1L) * lbaSize;
  }

  private boolean durable(SubmissionEntry command) {
    return !writeCache || (command.dword(OPTIONS) & FORCE_UNIT_ACCESS) != 0;
  }
}
