package dev.peerbar.devices.nvme.io;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.devices.nvme.queue.Transfer;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Dataset Management (NVMe 1.4 6.7): deallocates ranges; what else it says about them are hints,
 * which are not taken.
 */
final class DatasetManagement {
  private static final int AT_DATA_POINTER = 24;

  private static final int RANGES = 10;
  private static final int RANGES_MASK = 0xff;
  private static final int ATTRIBUTES = 11;
  private static final int DEALLOCATE = 1 << 2;

  // A range (NVMe 1.4 figure 373): 4 bytes of context attributes, length, first LBA.
  private static final int RANGE_BYTES = 16;
  private static final int LENGTH = 4;
  private static final int FIRST_LBA = 8;

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Storage storage;
  private final int lbaSize;
  private final long blocks;

  DatasetManagement(Storage storage, int lbaSize, long blocks) {
    this.storage = storage;
    this.lbaSize = lbaSize;
    this.blocks = blocks;
  }

  Status execute(SubmissionEntry command, Transfer transfer)
      throws StorageException, JobEndedException {
    long bytes = ((command.dword(RANGES) & RANGES_MASK) + 1L) * RANGE_BYTES;
    MemorySegment ranges = transfer.buffer(bytes);
    Status status = transfer.gather(command, ranges);
    if (status != Status.SUCCESS) {
      transfer.blame(AT_DATA_POINTER, 0);
      return status;
    }
    for (long at = 0; at < bytes; at += RANGE_BYTES) {
      long first = ranges.get(LONG, at + FIRST_LBA);
      if (first < 0 || first > blocks - length(ranges, at)) {
        transfer.blameLba(first);
        return Status.LBA_OUT_OF_RANGE;
      }
    }
    if ((command.dword(ATTRIBUTES) & DEALLOCATE) != 0) {
      for (long at = 0; at < bytes; at += RANGE_BYTES) {
        deallocate(
            ranges.get(LONG, at + FIRST_LBA) * lbaSize, length(ranges, at) * lbaSize, transfer);
      }
    }
    return Status.SUCCESS;
  }

  private void deallocate(long position, long length, Transfer transfer)
      throws StorageException, JobEndedException {
    for (long done = 0; done < length; ) {
      transfer.checkLife();
      done += storage.discard(position + done, length - done);
    }
  }

  /** In blocks, not 0's based. */
  private static long length(MemorySegment ranges, long at) {
    return Integer.toUnsignedLong(ranges.get(INT, at + LENGTH));
  }
}
