package dev.peerbar.driver.nvme;

import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The data pointer of a command: where its data is, page by page (NVMe 1.4 4.3). A range of a
 * device's address space that is in one piece, so only the first page can begin inside.
 *
 * @param prp1 PRP entry 1
 * @param prp2 PRP entry 2: the second page, the PRP list, or 0
 */
public record DataPointer(long prp1, long prp2) {
  static final long PAGE = 4096;

  /** Of a command without data. */
  public static final DataPointer NONE = new DataPointer(0, 0);

  /**
   * Of a range that touches at most two pages.
   *
   * @throws IllegalArgumentException if it needs a list
   */
  public static DataPointer of(DmaRange data) {
    return switch (pages(data)) {
      case 1 -> new DataPointer(data.iova(), 0);
      case 2 -> new DataPointer(data.iova(), secondPage(data));
      default ->
          throw new IllegalArgumentException(
              "The data pointer of 0x%x bytes at 0x%x takes a list."
                  .formatted(data.length(), data.iova()));
    };
  }

  /**
   * Of any range. If it needs a list, the list is stored into memory that is the caller's to choose
   * and to leave alone until the command is over.
   *
   * @param list address and length are multiples of 8; a list that meets the end of a page goes on,
   *     after a pointer, at the start of the next
   */
  public static DataPointer of(DmaRange data, DmaRange list) throws IOException {
    int pages = pages(data);
    if (pages <= 2) {
      return of(data);
    }
    list.write(0, list(secondPage(data), pages - 1, list));
    return new DataPointer(data.iova(), list.iova());
  }

  private static int pages(DmaRange data) {
    return Math.toIntExact((data.iova() % PAGE + data.length() + PAGE - 1) / PAGE);
  }

  private static long secondPage(DmaRange data) {
    return (data.iova() & -PAGE) + PAGE;
  }

  private static byte[] list(long firstPage, int pages, DmaRange into) {
    ByteBuffer entries =
        ByteBuffer.allocate(Math.toIntExact(into.length())).order(ByteOrder.LITTLE_ENDIAN);
    long page = firstPage;
    for (int left = pages; left > 0; ) {
      long next = into.iova() + entries.position() + Long.BYTES;
      boolean lastOfItsPage = next % PAGE == 0;
      if (lastOfItsPage && left > 1) {
        entries.putLong(next);
      } else {
        entries.putLong(page);
        page += PAGE;
        left--;
      }
    }
    byte[] bytes = new byte[entries.position()];
    entries.get(0, bytes);
    return bytes;
  }

  /** Fills in a command's. */
  public SubmissionEntry.Builder in(SubmissionEntry.Builder command) {
    return command.prp1(prp1).prp2(prp2);
  }
}
