package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SharedMemory;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** What engines find beside a table of single pages, through any maps and unmaps. */
final class ExtentsPropertyTest {
  private static final long PAGE = DmaTable.PAGE_SIZE;
  private static final int PAGES = 48;
  private static final int FILE_PAGES = 64;
  private static final int OPERATIONS = 150;

  /** A page as the client mapped it, in a mapping that {@code first} begins. */
  private record Page(int first, int last, boolean writable, int file, int filePage) {}

  /** No file: by messages. */
  private static final int NO_FILE = -1;

  private final Page[] model = new Page[PAGES];
  private long base;

  @Property(tries = 200)
  void areWhatIsMapped(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    // Anywhere, the ends of the address space included.
    base =
        switch (random.nextInt(3)) {
          case 0 -> 0;
          case 1 -> -PAGES * PAGE;
          default -> random.nextLong() & -PAGE & ~(1L << 62);
        };
    Arrays.fill(model, null);
    DmaTable table = new DmaTable(new Gate(), 1000);
    Cursor cursor = new Cursor(table);
    FileDescriptor[] files = {
      SharedMemory.create("extents", FILE_PAGES * PAGE),
      SharedMemory.create("extents", FILE_PAGES * PAGE)
    };
    try {
      for (int i = 0; i < OPERATIONS; i++) {
        if (random.nextInt(3) > 0) {
          map(table, random, files);
        } else {
          unmap(table, random);
        }
        for (int look = 0; look < 3; look++) {
          walk(cursor, random);
        }
        checkAll(table);
      }
    } finally {
      table.clear();
      for (FileDescriptor file : files) {
        file.close();
      }
    }
  }

  private void map(DmaTable table, Random random, FileDescriptor[] files) throws Exception {
    int first = random.nextInt(PAGES);
    int count = Math.min(PAGES - first, 1 + random.nextInt(4));
    boolean writable = random.nextInt(4) > 0;
    int file = random.nextInt(8) == 0 ? NO_FILE : random.nextInt(files.length);
    // Mostly as the pages lie in the file, so that they go on.
    int filePage = random.nextInt(3) > 0 ? first : random.nextInt(FILE_PAGES - count);
    Optional<FileDescriptor> descriptor =
        file == NO_FILE ? Optional.empty() : Optional.of(files[file].duplicate());
    long offset = file == NO_FILE ? 0 : filePage * PAGE;
    long iova = base + first * PAGE;
    boolean free = Arrays.stream(model, first, first + count).allMatch(page -> page == null);
    if (!free) {
      assertThatThrownBy(() -> table.map(iova, count * PAGE, true, writable, offset, descriptor))
          .isInstanceOf(DmaTable.RefusedException.class);
      return;
    }
    table.map(iova, count * PAGE, true, writable, offset, descriptor);
    for (int i = 0; i < count; i++) {
      model[first + i] = new Page(first, first + count - 1, writable, file, filePage + i);
    }
  }

  private void unmap(DmaTable table, Random random) throws Exception {
    int first = random.nextInt(PAGES);
    int last = Math.min(PAGES - 1, first + random.nextInt(8));
    long iova = base + first * PAGE;
    long size = (last - first + 1) * PAGE;
    boolean cuts =
        model[first] != null && model[first].first < first
            || model[last] != null && model[last].last > last;
    if (cuts) {
      assertThatThrownBy(() -> table.unmap(iova, size))
          .isInstanceOf(DmaTable.RefusedException.class);
      return;
    }
    table.unmap(iova, size);
    Arrays.fill(model, first, last + 1, null);
  }

  /** Goes on from page to page as a copy does, from wherever it was. */
  private void walk(Cursor cursor, Random random) {
    int from = random.nextInt(PAGES);
    int to = Math.min(PAGES, from + 1 + random.nextInt(12));
    for (int page = from; page < to; page++) {
      check(cursor.at(base + page * PAGE), page, 0);
    }
  }

  private void checkAll(DmaTable table) {
    for (int page = 0; page < PAGES; page++) {
      check(table.find(base + page * PAGE + 123), page, 123);
    }
  }

  private void check(Extent found, int page, int at) {
    Page mapped = model[page];
    if (mapped == null) {
      assertThat(found).as("page %d", page).isNull();
      return;
    }
    long address = base + page * PAGE + at;
    assertThat(found.covers(address)).isTrue();
    assertThat(found.direct()).isEqualTo(mapped.file != NO_FILE);
    assertThat(found.permits(Access.READ)).isTrue();
    assertThat(found.permits(Access.WRITE)).isEqualTo(mapped.writable);
    if (mapped.file == NO_FILE) {
      assertThat(found.remaining(address)).isEqualTo((mapped.last - page + 1) * PAGE - at);
      return;
    }
    assertThat(found.fileOffset(address)).isEqualTo(mapped.filePage * PAGE + at);
    assertThat(found.remaining(address)).isEqualTo(goesOn(page) * PAGE - at);
  }

  /** How many pages from this one on may be used as one. */
  private int goesOn(int page) {
    int end = page + 1;
    while (end < PAGES && model[end] != null && follows(model[end - 1], model[end])) {
      end++;
    }
    return end - page;
  }

  private static boolean follows(Page before, Page page) {
    return page.file == before.file
        && page.writable == before.writable
        && page.filePage == before.filePage + 1;
  }
}
