package dev.peerbar.devices.nvme.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** SGLs of every shape against a driver that lays them out descriptor by descriptor. */
final class SglPropertyTest {
  private static final int RAM_BYTES = 2 << 20;
  private static final int DATA_END = 1 << 20;
  private static final int PAGE = 4096;

  private record Block(boolean bucket, long address, int length) {}

  /** Blocks of data that do not overlap, some empty, with buckets in between. */
  private static List<Block> blocks(int length, boolean toHost, Random random) {
    List<Block> blocks = new ArrayList<>();
    int left = length;
    long free = 0;
    while (left > 0) {
      int kind = random.nextInt(10);
      int piece = Math.min(left, 1 + random.nextInt(1 + random.nextInt(20_000)));
      if (kind == 0) {
        blocks.add(new Block(false, random.nextLong(), 0));
      } else if (kind == 1) {
        blocks.add(new Block(true, random.nextLong(), piece));
        left -= toHost ? piece : 0;
      } else {
        free += random.nextBoolean() ? 0 : random.nextInt(50);
        blocks.add(new Block(false, free, piece));
        free += piece;
        left -= piece;
      }
    }
    return blocks;
  }

  private static void descriptor(MemorySegment to, long at, long address, int length, int type) {
    to.set(ValueLayout.JAVA_LONG_UNALIGNED, at, address);
    to.set(ValueLayout.JAVA_INT_UNALIGNED, at + 8, length);
    to.set(ValueLayout.JAVA_INT_UNALIGNED, at + 12, type << 24);
  }

  private static SubmissionEntry command(
      List<Block> blocks, int psdt, MemorySegment ram, Random random) {
    MemorySegment entry =
        MemorySegment.ofArray(
            SubmissionEntry.builder(IoOpcode.READ)
                .psdt(psdt)
                .build()
                .bytes()
                .toArray(ValueLayout.JAVA_BYTE));
    MemorySegment at = entry;
    long offset = SubmissionEntry.DATA_POINTER;
    long segment = DATA_END;
    int next = 0;
    if (blocks.size() > 1 || random.nextBoolean()) {
      while (next < blocks.size()) {
        int rest = blocks.size() - next;
        int here = random.nextInt(4) == 0 ? 1 + random.nextInt(rest) : rest;
        boolean last = here == rest;
        int descriptors = here + (last ? 0 : 1);
        descriptor(at, offset, segment, descriptors * 16, last ? 0x30 : 0x20);
        at = ram;
        for (int i = 0; i < here; i++, next++) {
          put(ram, segment + 16L * i, blocks.get(next));
        }
        offset = segment + 16L * here;
        segment += 16L * descriptors + random.nextInt(40);
      }
    } else {
      put(entry, offset, blocks.get(0));
    }
    return new SubmissionEntry(entry);
  }

  private static void put(MemorySegment to, long at, Block block) {
    descriptor(to, at, block.address, block.length, block.bucket ? 0x10 : 0x00);
  }

  @Property(tries = 200, seed = "1")
  void dataIsWhereTheDescriptorsSay(
      @ForAll @IntRange(min = 1, max = 300_000) int length,
      @ForAll @IntRange(min = 1, max = 2) int psdt,
      @ForAll boolean toHost,
      @ForAll long seed)
      throws Exception {
    Random random = new Random(seed);
    MemorySegment ram = Arena.ofAuto().allocate(RAM_BYTES, 4096);
    byte[] noise = new byte[DATA_END];
    random.nextBytes(noise);
    MemorySegment.copy(noise, 0, ram, ValueLayout.JAVA_BYTE, 0, DATA_END);
    List<Block> blocks = blocks(length, toHost, random);
    SubmissionEntry command = command(blocks, psdt, ram, random);
    RecordingDma dma = new RecordingDma(ram);
    DataPointer pointer = new DataPointer(new ControllerMemory(MemorySegment.NULL));
    assertThat(pointer.resolve(dma, command, PAGE, length, toHost)).isEqualTo(Status.SUCCESS);

    byte[] expected = ram.toArray(ValueLayout.JAVA_BYTE);
    byte[] data = new byte[length];
    random.nextBytes(data);
    int at = 0;
    for (Block block : blocks) {
      if (block.bucket) {
        at += toHost ? block.length : 0;
      } else if (block.length > 0) {
        if (toHost) {
          System.arraycopy(data, at, expected, (int) block.address, block.length);
        } else {
          System.arraycopy(expected, (int) block.address, data, at, block.length);
        }
        at += block.length;
      }
    }
    if (toHost) {
      pointer.scatter(dma, MemorySegment.ofArray(data), 0);
    } else {
      MemorySegment gathered = MemorySegment.ofArray(new byte[length]);
      pointer.gather(dma, gathered);
      assertThat(gathered.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(data);
    }
    assertThat(ram.mismatch(MemorySegment.ofArray(expected))).isEqualTo(-1);
  }
}
