package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.server.fixture.MemoryFiles;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What engines find beside a table of single pages, through any maps and unmaps. */
final class ExtentsPropertyTest {
  private static final long PAGE = DmaTable.PAGE_SIZE;
  private static final int OPERATIONS = 150;

  /** A page as the client mapped it, in a mapping that {@code first} begins. */
  private record Page(int first, int last, boolean writable, int file, int filePage) {}

  // Which of the files: two that can be mapped into this process, one that cannot, none.
  private static final int MAPPED_FILES = 2;
  private static final int UNSEALED = MAPPED_FILES;
  private static final int NO_FILE = -1;

  private Page[] model;
  private long base;

  @Property(tries = 200, seed = "1")
  void areWhatIsMapped(@ForAll long seed) throws Exception {
    check(new Random(seed), 48, new Runs());
  }

  /** As among millions: a few pages make a tree of many nodes. */
  @Property(tries = 100, seed = "1")
  void areWhatIsMappedInSmallNodes(@ForAll long seed) throws Exception {
    check(new Random(seed), 300, new Runs(4, 4));
  }

  private void check(Random random, int pages, Runs runs) throws Exception {
    model = new Page[pages];
    // Anywhere, the ends of the address space included.
    base =
        switch (random.nextInt(3)) {
          case 0 -> 0;
          case 1 -> -pages * PAGE;
          default -> random.nextLong() & -PAGE & ~(1L << 62);
        };
    int filePages = pages + 16;
    DmaTable table = new DmaTable(new Gate(), pages, runs);
    Cursor cursor = new Cursor(table);
    FileDescriptor[] files = {
      SharedMemory.create("extents", filePages * PAGE),
      SharedMemory.create("extents", filePages * PAGE),
      MemoryFiles.unsealed(filePages * PAGE)
    };
    try {
      for (int i = 0; i < OPERATIONS * pages / 48; i++) {
        if (random.nextInt(3) > 0) {
          map(table, random, files);
        } else {
          unmap(table, random);
        }
        RunsTest.check(runs);
        assertThat(table.size()).isEqualTo(mappings());
        for (int look = 0; look < 3; look++) {
          walk(cursor, random);
        }
        if (i % (pages / 48) == 0) {
          checkAll(table);
        }
      }
    } finally {
      table.clear();
      assertThat(table.size()).isZero();
      for (FileDescriptor file : files) {
        file.close();
      }
    }
  }

  private int mappings() {
    int count = 0;
    for (int page = 0; page < model.length; page++) {
      if (model[page] != null && model[page].first == page) {
        count++;
      }
    }
    return count;
  }

  private void map(DmaTable table, Random random, FileDescriptor[] files) throws Exception {
    int first = random.nextInt(model.length);
    // Mostly of one size, as a vIOMMU's, so that there are runs to cut and to join.
    int wanted = random.nextInt(3) > 0 ? 1 : 1 + random.nextInt(4);
    int count = Math.min(model.length - first, wanted);
    boolean writable = random.nextInt(4) > 0;
    int file = random.nextInt(8) == 0 ? NO_FILE : random.nextInt(files.length);
    if (random.nextInt(2) == 0) {
      writable = true;
      file = 0;
    }
    // Mostly as the pages lie in the file, so that they go on.
    int filePage = random.nextInt(3) > 0 ? first : random.nextInt(model.length - count);
    Optional<FileDescriptor> descriptor =
        file == NO_FILE ? Optional.empty() : Optional.of(files[file].duplicate());
    long offset = file == NO_FILE ? 0 : filePage * PAGE;
    long iova = base + first * PAGE;
    long size = count * PAGE;
    if (Arrays.stream(model, first, first + count).anyMatch(page -> page != null)) {
      boolean asWritable = writable;
      refused(Errno.EEXIST, () -> table.map(iova, size, true, asWritable, offset, descriptor));
      return;
    }
    table.map(iova, size, true, writable, offset, descriptor);
    for (int i = 0; i < count; i++) {
      model[first + i] = new Page(first, first + count - 1, writable, file, filePage + i);
    }
  }

  private void unmap(DmaTable table, Random random) throws Exception {
    int first = random.nextInt(model.length);
    // One mapping, some, or many.
    int most = random.nextInt(3) == 0 ? 1 : random.nextInt(20) > 0 ? 8 : model.length;
    int last = Math.min(model.length - 1, first + random.nextInt(most));
    long iova = base + first * PAGE;
    long size = (last - first + 1) * PAGE;
    boolean cuts =
        model[first] != null && model[first].first < first
            || model[last] != null && model[last].last > last;
    if (cuts) {
      refused(Errno.EINVAL, () -> table.unmap(iova, size));
      return;
    }
    table.unmap(iova, size);
    Arrays.fill(model, first, last + 1, null);
  }

  private static void refused(Errno errno, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            DmaTable.RefusedException.class, e -> assertThat(e.errno()).isEqualTo(errno));
  }

  /** Goes on from page to page as a copy does, from wherever it was. */
  private void walk(Cursor cursor, Random random) {
    int from = random.nextInt(model.length);
    int to = Math.min(model.length, from + 1 + random.nextInt(12));
    for (int page = from; page < to; page++) {
      check(cursor.at(base + page * PAGE), page, 0);
    }
  }

  private void checkAll(DmaTable table) {
    for (int page = 0; page < model.length; page++) {
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
    assertThat(found.mapped()).isEqualTo(mapped.file != NO_FILE);
    assertThat(found.memory() != null).isEqualTo(mapped.file != NO_FILE && mapped.file != UNSEALED);
    assertThat(found.permits(Access.READ)).isTrue();
    assertThat(found.permits(Access.WRITE)).isEqualTo(mapped.writable);
    if (mapped.file != NO_FILE) {
      assertThat(found.fileOffset(address)).isEqualTo(mapped.filePage * PAGE + at);
    }
    if (found.mapped()) {
      assertThat(found.iova()).isEqualTo(base + firstOfRun(page) * PAGE);
      assertThat(found.remaining(address)).isEqualTo(goesOn(page) * PAGE - at);
    } else {
      // Each mapping for itself: a client may refuse what reaches over its end.
      assertThat(found.iova()).isEqualTo(base + mapped.first * PAGE);
      assertThat(found.remaining(address)).isEqualTo((mapped.last - page + 1) * PAGE - at);
    }
  }

  /** How many pages from this one on may be used as one. */
  private int goesOn(int page) {
    int end = page + 1;
    while (end < model.length && follows(end)) {
      end++;
    }
    return end - page;
  }

  private int firstOfRun(int page) {
    int first = page;
    while (first > 0 && follows(first)) {
      first--;
    }
    return first;
  }

  /** Whether a page and the one before it may be used as one. */
  private boolean follows(int index) {
    Page page = model[index];
    Page before = model[index - 1];
    return before != null
        && page != null
        && page.file == before.file
        && page.writable == before.writable
        && page.filePage == before.filePage + 1
        && page.last - page.first == before.last - before.first;
  }
}
