package dev.peerbar.server.storage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.storage.MemoryStorage;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** Any sequence of calls leaves in every kind of storage what it leaves in an array of bytes. */
final class StoragePropertyTest {
  private static final int SECTORS = 10_000;
  private static final int SIZE = SECTORS * Storage.SECTOR;
  private static final int LONGEST = 6000;

  private enum What {
    WRITE,
    WRITE_DURABLY,
    ZERO,
    ZERO_AND_DEALLOCATE,
    DISCARD,
    FLUSH
  }

  /** In sectors. */
  record Call(What what, int first, int count, byte fill) {}

  @Provide
  Arbitrary<List<Call>> calls() {
    return Combinators.combine(
            Arbitraries.of(What.class),
            Arbitraries.integers().between(0, SECTORS - 1),
            Arbitraries.integers().between(0, LONGEST),
            Arbitraries.bytes())
        .as((what, first, count, fill) ->
            new Call(what, first, Math.min(count, SECTORS - first), fill))
        .list()
        .ofMaxSize(12);
  }

  @Property(tries = 60, seed = "1")
  void memory(@ForAll("calls") List<Call> calls) throws Exception {
    try (Storage storage = MemoryStorage.allocate(SIZE)) {
      behavesAsBytes(storage, calls);
    }
  }

  @Property(tries = 60, seed = "1")
  void hostMemory(@ForAll("calls") List<Call> calls) throws Exception {
    try (Storage storage = HostMemory.storage(SIZE)) {
      behavesAsBytes(storage, calls);
    }
  }

  @Property(tries = 60, seed = "1")
  void image(@ForAll("calls") List<Call> calls) throws Exception {
    Path path = Files.createTempFile("image", ".raw");
    try {
      try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
        file.setLength(SIZE);
      }
      byte[] content;
      try (Storage storage = ImageFile.open(path)) {
        content = behavesAsBytes(storage, calls);
      }
      assertThat(Files.size(path)).isEqualTo(SIZE);
      assertThat(Arrays.equals(Files.readAllBytes(path), content)).as("the file").isTrue();
    } finally {
      Files.delete(path);
    }
  }

  @Property(tries = 60, seed = "1")
  void imageWhereNothingCanBePunchedOrZeroed(@ForAll("calls") List<Call> calls) throws Exception {
    try (Storage storage = ImageFile.over("image", new MemoryFile(SIZE, false), SIZE, false)) {
      assertThat(storage.readsZerosAfterDiscard()).isFalse();
      behavesAsBytes(storage, calls);
    }
  }

  private static byte[] behavesAsBytes(Storage storage, List<Call> calls) throws StorageException {
    assertThat(storage.size()).isEqualTo(SIZE);
    byte[] model = new byte[SIZE];
    for (Call call : calls) {
      apply(call, storage, model);
      int from = Math.max(0, call.first - 9) * Storage.SECTOR;
      int to = Math.min(SECTORS, call.first + call.count + 9) * Storage.SECTOR;
      same(storage, model, from, to);
    }
    same(storage, model, 0, SIZE);
    return model;
  }

  private static void apply(Call call, Storage storage, byte[] model) throws StorageException {
    int from = call.first * Storage.SECTOR;
    int length = call.count * Storage.SECTOR;
    switch (call.what) {
      case WRITE, WRITE_DURABLY -> {
        Arrays.fill(model, from, from + length, call.fill);
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment data = arena.allocate(length).fill(call.fill);
          storage.write(from, data, call.what == What.WRITE_DURABLY);
        }
      }
      case ZERO, ZERO_AND_DEALLOCATE -> {
        Arrays.fill(model, from, from + length, (byte) 0);
        for (int done = 0; done < length; ) {
          done +=
              step(
                  storage.zero(from + done, length - done, call.what == What.ZERO_AND_DEALLOCATE),
                  from + done,
                  length - done);
        }
      }
      case DISCARD -> {
        int first = -Math.floorDiv(-from, Storage.ATOMIC_BLOCK) * Storage.ATOMIC_BLOCK;
        int end = (from + length) / Storage.ATOMIC_BLOCK * Storage.ATOMIC_BLOCK;
        if (storage.readsZerosAfterDiscard() && first < end) {
          Arrays.fill(model, first, end, (byte) 0);
        }
        for (int done = 0; done < length; ) {
          done += step(storage.discard(from + done, length - done), from + done, length - done);
        }
      }
      case FLUSH -> storage.flush();
    }
  }

  /** Judges what a call says it did: all, or something up to the end of a block. */
  private static int step(long done, int from, int length) {
    assertThat(done).isBetween(1L, (long) length);
    assertThat(done == length || (from + done) % Storage.ATOMIC_BLOCK == 0).isTrue();
    return (int) done;
  }

  private static void same(Storage storage, byte[] model, int from, int to)
      throws StorageException {
    byte[] read = new byte[to - from];
    storage.read(from, MemorySegment.ofArray(read));
    assertThat(Arrays.mismatch(read, 0, read.length, model, from, to))
        .as("the first byte that differs, from %d on", from)
        .isEqualTo(-1);
  }
}
