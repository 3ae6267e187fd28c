package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Where a command's data is: PRP entries and lists (NVMe 1.4 4.3), SGLs (4.4). Holds the ranges of
 * one command at a time. For one engine's thread.
 *
 * <p>Ranges that touch are one range, so that the pages of a contiguous buffer are one transfer.
 */
final class DataPointer {
  /** The most data of a command, in bytes: MDTS. */
  static final int MOST_BYTES = 512 << 10;

  /** Descriptors of all segments of a command's SGL; more are refused. */
  static final int MOST_DESCRIPTORS = 4096;

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int SMALLEST_PAGE = 4 << 10;
  private static final int PRP_BYTES = Long.BYTES;
  private static final long PRP1_ALIGNMENT_MASK = 0x3;
  private static final long LIST_ALIGNMENT_MASK = 0x7;

  // PSDT (NVMe 1.4 figure 104).
  private static final int PSDT_PRP = 0;
  private static final int PSDT_SGL = 1;
  private static final int PSDT_SGL_METADATA_SEGMENT = 2;

  // SGL descriptors (NVMe 1.4 figure 114): address, length, type in bits 7:4 of the last byte.
  private static final int DESCRIPTOR_BYTES = 16;
  private static final int LENGTH = 8;
  private static final int TYPE = 15;
  private static final int DATA_BLOCK = 0x00;
  private static final int BIT_BUCKET = 0x10;
  private static final int SEGMENT = 0x20;
  private static final int LAST_SEGMENT = 0x30;

  /** Descriptors read at a time. */
  private static final int CHUNK = 256;

  private static final int LIST_BYTES =
      Math.max(CHUNK * DESCRIPTOR_BYTES, (MOST_BYTES / SMALLEST_PAGE + 1) * PRP_BYTES);

  private final ControllerMemory memory;

  /** What was read of a list or segment. */
  private final MemorySegment list = Scratch.allocate(LIST_BYTES);

  private long[] addresses = new long[MOST_BYTES / SMALLEST_PAGE + 1];

  /** In bytes; negative for what goes to a bit bucket. */
  private int[] lengths = new int[addresses.length];

  private int count;

  // Of the SGL under way.
  private int left;
  private int descriptors;
  private boolean toHost;

  DataPointer(ControllerMemory memory) {
    this.memory = memory;
  }

  /**
   * Finds out where a command's data is.
   *
   * @param pageSize CC.MPS in bytes
   * @param length of the data in bytes, at most {@link #MOST_BYTES}
   * @param toHost whether it goes to the host: a bit bucket takes data then, and is none else
   * @return SUCCESS, or what is wrong
   */
  Status resolve(Dma dma, SubmissionEntry command, int pageSize, int length, boolean toHost)
      throws JobEndedException {
    count = 0;
    if (length == 0) {
      return Status.SUCCESS;
    }
    try {
      return switch (command.psdt()) {
        case PSDT_PRP -> prps(dma, command.prp1(), command.prp2(), pageSize, length);
        case PSDT_SGL, PSDT_SGL_METADATA_SEGMENT -> sgl(dma, command, length, toHost);
        default -> Status.INVALID_FIELD_IN_COMMAND;
      };
    } catch (DmaFaultException fault) {
      return CommandErrors.INSTANCE.of(fault);
    }
  }

  /** Reads the host's data, all of it. */
  void gather(Dma dma, MemorySegment into) throws DmaFaultException, JobEndedException {
    long at = 0;
    for (int i = 0; i < count; i++) {
      memory.read(dma, addresses[i], into, at, lengths[i]);
      at += lengths[i];
    }
  }

  /**
   * Writes data to the host, all of it.
   *
   * @param offset of the data in the segment
   */
  void scatter(Dma dma, MemorySegment from, long offset)
      throws DmaFaultException, JobEndedException {
    long at = offset;
    for (int i = 0; i < count; i++) {
      if (lengths[i] > 0) {
        memory.write(dma, addresses[i], from, at, lengths[i]);
      }
      at += Math.abs(lengths[i]);
    }
  }

  /** How many transfers it takes. */
  int ranges() {
    return count;
  }

  private void add(long address, int length) {
    if (count > 0
        && lengths[count - 1] > 0
        && address != 0
        && addresses[count - 1] + lengths[count - 1] == address) {
      lengths[count - 1] += length;
      return;
    }
    append(address, length);
  }

  private void append(long address, int length) {
    if (count == addresses.length) {
      addresses = Arrays.copyOf(addresses, 2 * count);
      lengths = Arrays.copyOf(lengths, 2 * count);
    }
    addresses[count] = address;
    lengths[count] = length;
    count++;
  }

  private Status prps(Dma dma, long prp1, long prp2, int pageSize, int length)
      throws DmaFaultException, JobEndedException {
    long offsetMask = pageSize - 1L;
    if ((prp1 & PRP1_ALIGNMENT_MASK) != 0) {
      return Status.PRP_OFFSET_INVALID;
    }
    int first = (int) Math.min(length, pageSize - (prp1 & offsetMask));
    add(prp1, first);
    int rest = length - first;
    if (rest == 0) {
      return Status.SUCCESS;
    }
    if (rest <= pageSize) {
      if ((prp2 & offsetMask) != 0) {
        return Status.PRP_OFFSET_INVALID;
      }
      add(prp2, rest);
      return Status.SUCCESS;
    }
    if ((prp2 & LIST_ALIGNMENT_MASK) != 0) {
      return Status.PRP_OFFSET_INVALID;
    }
    return prpList(dma, prp2, pageSize, rest);
  }

  /** The last entry of a page of the list leads to the next page, unless it is the last of all. */
  private Status prpList(Dma dma, long start, int pageSize, int length)
      throws DmaFaultException, JobEndedException {
    long offsetMask = pageSize - 1L;
    long at = start;
    int rest = length;
    while (true) {
      int room = (int) ((pageSize - (at & offsetMask)) / PRP_BYTES);
      int needed = Math.ceilDiv(rest, pageSize);
      boolean chained = needed > room;
      int pages = chained ? room - 1 : needed;
      memory.read(dma, at, list, 0, (long) Math.min(room, needed) * PRP_BYTES);
      for (int i = 0; i < pages; i++) {
        long page = list.get(LONG, (long) i * PRP_BYTES);
        if ((page & offsetMask) != 0) {
          return Status.PRP_OFFSET_INVALID;
        }
        add(page, Math.min(rest, pageSize));
        rest -= Math.min(rest, pageSize);
      }
      if (!chained) {
        return Status.SUCCESS;
      }
      at = list.get(LONG, (long) pages * PRP_BYTES);
      if ((at & offsetMask) != 0) {
        return Status.PRP_OFFSET_INVALID;
      }
    }
  }

  private Status sgl(Dma dma, SubmissionEntry command, int length, boolean toHost)
      throws DmaFaultException, JobEndedException {
    left = length;
    descriptors = 1;
    this.toHost = toHost;
    MemorySegment from = command.bytes();
    long offset = SubmissionEntry.DATA_POINTER;
    int type = type(from, offset);
    Status status = data(from, offset, type);
    while (status == Status.SUCCESS && (type == SEGMENT || type == LAST_SEGMENT)) {
      long segment = from.get(LONG, offset);
      long bytes = Integer.toUnsignedLong(from.get(INT, offset + LENGTH));
      boolean last = type == LAST_SEGMENT;
      status = segment(dma, segment, bytes, last);
      // A segment that leads on does so with its last descriptor, which was read last.
      from = list;
      offset = (bytes / DESCRIPTOR_BYTES - 1) % CHUNK * DESCRIPTOR_BYTES;
      type = status == Status.SUCCESS ? type(from, offset) : DATA_BLOCK;
    }
    if (status == Status.SUCCESS && left > 0) {
      return Status.DATA_SGL_LENGTH_INVALID;
    }
    return status;
  }

  private Status segment(Dma dma, long address, long bytes, boolean last)
      throws DmaFaultException, JobEndedException {
    if (bytes == 0 || bytes % DESCRIPTOR_BYTES != 0) {
      return Status.INVALID_SGL_SEGMENT_DESCRIPTOR;
    }
    long number = bytes / DESCRIPTOR_BYTES;
    if (number > MOST_DESCRIPTORS - descriptors) {
      return Status.INVALID_NUMBER_OF_SGL_DESCRIPTORS;
    }
    descriptors += (int) number;
    for (long first = 0; first < number; first += CHUNK) {
      int chunk = (int) Math.min(CHUNK, number - first);
      memory.read(
          dma, address + first * DESCRIPTOR_BYTES, list, 0, (long) chunk * DESCRIPTOR_BYTES);
      for (int i = 0; i < chunk; i++) {
        Status status = element(i, first + i == number - 1, last);
        if (status != Status.SUCCESS) {
          return status;
        }
      }
    }
    return Status.SUCCESS;
  }

  private Status element(int index, boolean atEnd, boolean lastSegment) {
    long offset = (long) index * DESCRIPTOR_BYTES;
    int type = type(list, offset);
    if (type == SEGMENT || type == LAST_SEGMENT) {
      if (!atEnd) {
        return Status.INVALID_NUMBER_OF_SGL_DESCRIPTORS;
      }
      return lastSegment ? Status.INVALID_SGL_SEGMENT_DESCRIPTOR : Status.SUCCESS;
    }
    return data(list, offset, type);
  }

  /** Takes a descriptor of data; those of segments are the caller's. */
  private Status data(MemorySegment from, long offset, int type) {
    long address = from.get(LONG, offset);
    long length = Integer.toUnsignedLong(from.get(INT, offset + LENGTH));
    switch (type) {
      case SEGMENT, LAST_SEGMENT -> {
        return Status.SUCCESS;
      }
      case DATA_BLOCK -> {}
      case BIT_BUCKET -> {
        if (!toHost) {
          return Status.SUCCESS;
        }
      }
      default -> {
        return Status.SGL_DESCRIPTOR_TYPE_INVALID;
      }
    }
    if (length > left) {
      return Status.DATA_SGL_LENGTH_INVALID;
    }
    left -= (int) length;
    if (length == 0) {
      return Status.SUCCESS;
    }
    if (type == BIT_BUCKET) {
      append(0, (int) -length);
    } else if (Long.compareUnsigned(address + (length - 1), address) < 0) {
      return Status.DATA_TRANSFER_ERROR;
    } else {
      add(address, (int) length);
    }
    return Status.SUCCESS;
  }

  /** Type and subtype together: subtype 0, an address, is all that PCIe has. */
  private static int type(MemorySegment from, long offset) {
    return Byte.toUnsignedInt(from.get(ValueLayout.JAVA_BYTE, offset + TYPE));
  }
}
