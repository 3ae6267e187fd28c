package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.server.fixture.OpenFiles;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Mappings of any size anywhere, beside a list of them and numbers that do not wrap. */
final class DmaTablePropertyTest {
  private static final long PAGE = DmaTable.PAGE_SIZE;
  private static final long FILE_SIZE = 1L << 40;
  private static final int MOST = 40;
  private static final BigInteger SPACE = BigInteger.ONE.shiftLeft(Long.SIZE);

  private record Mapping(BigInteger first, BigInteger last, boolean file, long offset) {
    boolean overlaps(BigInteger from, BigInteger to) {
      return first.compareTo(to) <= 0 && last.compareTo(from) >= 0;
    }

    boolean inside(BigInteger from, BigInteger to) {
      return first.compareTo(from) >= 0 && last.compareTo(to) <= 0;
    }
  }

  private final List<Mapping> model = new ArrayList<>();

  private static BigInteger unsigned(long number) {
    return new BigInteger(Long.toUnsignedString(number));
  }

  @Property(tries = 100, seed = "1")
  void doesWhatTheListDoes(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    model.clear();
    long descriptors = OpenFiles.count();
    // A few sizes, so that neighbours are often alike.
    long[] sizes = new long[3];
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = 1L + random.nextInt(3) << 12 + random.nextInt(51);
    }
    DmaTable table = new DmaTable(new Gate(), MOST, new Runs(4, 4));
    try (FileDescriptor file = SharedMemory.create("huge", FILE_SIZE)) {
      for (int i = 0; i < 300; i++) {
        long iova = address(random, sizes);
        if (random.nextInt(3) > 0) {
          map(table, random, file, iova, sizes[random.nextInt(sizes.length)]);
        } else {
          unmap(table, iova, sizes[random.nextInt(sizes.length)] * (1 + random.nextInt(4)));
        }
        assertThat(table.size()).isEqualTo(model.size());
        for (Mapping mapping : model) {
          check(table, mapping.first.longValue());
          check(table, mapping.last.longValue());
          check(table, mapping.first.longValue() - 1);
          check(table, mapping.last.longValue() + 1);
        }
        check(table, random.nextLong());
      }
    } finally {
      table.clear();
    }
    assertThat(table.size()).isZero();
    assertThat(OpenFiles.count()).isEqualTo(descriptors);
  }

  /** Beside a mapping, or at an end of the address space, or anywhere. */
  private long address(Random random, long[] sizes) {
    long size = sizes[random.nextInt(sizes.length)];
    if (!model.isEmpty() && random.nextInt(4) > 0) {
      Mapping mapping = model.get(random.nextInt(model.size()));
      return random.nextBoolean()
          ? mapping.last.longValue() + 1
          : mapping.first.longValue() - (random.nextBoolean() ? size : 0);
    }
    return switch (random.nextInt(4)) {
      case 0 -> 0;
      case 1 -> -size;
      case 2 -> Long.MIN_VALUE - size * random.nextInt(2);
      default -> random.nextLong() & -PAGE;
    };
  }

  private void map(DmaTable table, Random random, FileDescriptor file, long iova, long size)
      throws Exception {
    BigInteger first = unsigned(iova);
    BigInteger last = first.add(unsigned(size)).subtract(BigInteger.ONE);
    boolean withFile = size > 0 && size <= FILE_SIZE && random.nextInt(3) > 0;
    long offset = withFile ? iova & FILE_SIZE - 1 : 0;
    Optional<Errno> expected = Optional.empty();
    if (last.compareTo(SPACE) >= 0) {
      expected = Optional.of(Errno.EINVAL);
    } else if (model.stream().anyMatch(mapping -> mapping.overlaps(first, last))) {
      expected = Optional.of(Errno.EEXIST);
    } else if (model.size() == MOST) {
      expected = Optional.of(Errno.ENOSPC);
    } else if (withFile && offset > FILE_SIZE - size) {
      expected = Optional.of(Errno.EINVAL);
    } else {
      model.add(new Mapping(first, last, withFile, offset));
    }
    Optional<Errno> refusal = Optional.empty();
    try {
      Optional<FileDescriptor> sent = withFile ? Optional.of(file.duplicate()) : Optional.empty();
      table.map(iova, size, true, true, offset, sent);
    } catch (DmaTable.RefusedException e) {
      refusal = Optional.of(e.errno());
    }
    assertThat(refusal).as("0x%x + 0x%x", iova, size).isEqualTo(expected);
  }

  private void unmap(DmaTable table, long iova, long size) {
    BigInteger first = unsigned(iova);
    BigInteger last = first.add(unsigned(size)).subtract(BigInteger.ONE);
    boolean valid =
        size != 0
            && last.compareTo(SPACE) < 0
            && model.stream()
                .allMatch(mapping -> mapping.inside(first, last) || !mapping.overlaps(first, last));
    boolean done = true;
    try {
      table.unmap(iova, size);
    } catch (DmaTable.RefusedException e) {
      assertThat(e.errno()).isEqualTo(Errno.EINVAL);
      done = false;
    }
    assertThat(done).as("0x%x + 0x%x", iova, size).isEqualTo(valid);
    if (valid) {
      model.removeIf(mapping -> mapping.inside(first, last));
    }
  }

  private void check(DmaTable table, long address) {
    BigInteger at = unsigned(address);
    Extent found = table.find(address);
    Optional<Mapping> expected =
        model.stream().filter(mapping -> mapping.overlaps(at, at)).findAny();
    assertThat(found != null).as("0x%x", address).isEqualTo(expected.isPresent());
    if (expected.isEmpty()) {
      return;
    }
    Mapping mapping = expected.get();
    assertThat(found.direct()).isEqualTo(mapping.file);
    assertThat(found.covers(address)).isTrue();
    BigInteger begin = unsigned(found.iova());
    BigInteger end = unsigned(found.last());
    if (mapping.file) {
      assertThat(found.fileOffset(address))
          .isEqualTo(mapping.offset + at.subtract(mapping.first).longValue());
      // All of it is mapped, and nothing with another place in the file.
      assertThat(mapping.inside(begin, end)).isTrue();
      BigInteger covered =
          model.stream()
              .filter(other -> other.inside(begin, end))
              .peek(other -> assertThat(other.file).isTrue())
              .map(other -> other.last.subtract(other.first).add(BigInteger.ONE))
              .reduce(BigInteger.ZERO, BigInteger::add);
      assertThat(covered).isEqualTo(end.subtract(begin).add(BigInteger.ONE));
    } else {
      assertThat(begin).isEqualTo(mapping.first);
      assertThat(end).isEqualTo(mapping.last);
    }
  }
}
