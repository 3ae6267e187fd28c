package dev.peerbar.server;

import static org.junit.jupiter.api.Assumptions.abort;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The machine's pool of huge pages, with enough of them as long as this is open: as many are added
 * as it lacks, and taken out again.
 */
final class HugePages implements AutoCloseable {
  /** The size of a page, in bytes. */
  static final long SIZE = 2 << 20;

  private static final Path COUNT =
      Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");

  private final long before;
  private final List<Mapping> taken = new ArrayList<>();

  private HugePages(long before) {
    this.before = before;
  }

  /** Has pages free; aborts the test, with the reason, where that cannot be. */
  static HugePages withFree(long pages) {
    try {
      if (!Files.exists(COUNT)) {
        abort("this machine has no huge pages of 2 MiB");
      }
      long lacking = pages - free();
      if (lacking <= 0) {
        return new HugePages(-1);
      }
      long count = Long.parseLong(Files.readString(COUNT).strip());
      HugePages pool = new HugePages(count);
      Files.writeString(COUNT, String.valueOf(count + lacking));
      if (free() < pages) {
        pool.close();
        abort("no room for %d huge pages".formatted(pages));
      }
      return pool;
    } catch (IOException e) {
      return abort("no huge pages free, and none can be had: " + e);
    }
  }

  /** Pages that nobody has and that are not set aside for anybody. */
  static long free() throws IOException {
    Path pool = COUNT.getParent();
    return Long.parseLong(Files.readString(pool.resolve("free_hugepages")).strip())
        - Long.parseLong(Files.readString(pool.resolve("resv_hugepages")).strip());
  }

  /** Empties the pool. */
  void takeAll() throws IOException {
    while (true) {
      try (FileDescriptor file = MemoryFiles.unsealedHugePages(SIZE)) {
        Mapping page = SharedMemory.map(file, 0, SIZE, SharedMemory.Access.READ_WRITE);
        page.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        taken.add(page);
      } catch (LinuxException _) {
        return;
      }
    }
  }

  /** Gives back what was taken. */
  void giveBack() {
    taken.forEach(Mapping::close);
    taken.clear();
  }

  @Override
  public void close() {
    giveBack();
    if (before >= 0) {
      try {
        Files.writeString(COUNT, String.valueOf(before));
      } catch (IOException e) {
        throw new AssertionError("the pool stays larger than it was", e);
      }
    }
  }
}
