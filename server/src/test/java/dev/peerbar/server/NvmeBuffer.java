package dev.peerbar.server;

import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.lang.foreign.MemorySegment;

/**
 * Memory for the data of a command, and for the list of its pages.
 *
 * @param bytes whole pages
 * @param iova where the device finds them
 * @param list a page
 * @param listIova where the device finds that
 */
record NvmeBuffer(MemorySegment bytes, long iova, MemorySegment list, long listIova) {
  private static final long PAGE = GuestMemory.PAGE;

  /** Some of it, from a page on. */
  NvmeBuffer slice(long offset, long length) {
    return new NvmeBuffer(bytes.asSlice(offset, length), iova + offset, list, listIova);
  }

  /** Fills in the PRP entries for a number of bytes, and the list if it takes one. */
  SubmissionEntry.Builder point(SubmissionEntry.Builder entry, long length) {
    entry.prp1(iova);
    if (length <= PAGE) {
      return entry;
    }
    if (length <= 2 * PAGE) {
      return entry.prp2(iova + PAGE);
    }
    for (long at = PAGE; at < length; at += PAGE) {
      list.set(GuestMemory.LONG, (at / PAGE - 1) * Long.BYTES, iova + at);
    }
    return entry.prp2(listIova);
  }
}
