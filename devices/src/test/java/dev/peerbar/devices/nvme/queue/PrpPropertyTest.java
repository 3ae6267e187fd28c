package dev.peerbar.devices.nvme.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** PRPs of every shape against a driver that lays them out page by page. */
final class PrpPropertyTest {
  private static final int RAM_BYTES = 4 << 20;

  /** What a driver has laid out: the pages of the data, and where their list entries are. */
  private final class Layout {
    final MemorySegment ram = Arena.ofAuto().allocate(RAM_BYTES, 4096);
    final List<Long> data = new ArrayList<>();
    final List<String> listReads = new ArrayList<>();
    final SubmissionEntry command;

    Layout(int pageSize, int offset, int length, int listOffset, long seed) {
      Random random = new Random(seed);
      byte[] noise = new byte[RAM_BYTES];
      random.nextBytes(noise);
      ram.copyFrom(MemorySegment.ofArray(noise));
      List<Long> pages = new ArrayList<>();
      for (long at = pageSize; at < RAM_BYTES; at += pageSize) {
        pages.add(at);
      }
      int count = Math.ceilDiv(offset + length, pageSize);
      if (random.nextBoolean()) {
        Collections.shuffle(pages, random);
      }
      List<Long> lists = new ArrayList<>(pages.subList(count, pages.size()));
      for (long page : pages.subList(0, count)) {
        data.add(page);
      }
      SubmissionEntry.Builder builder =
          SubmissionEntry.builder(IoOpcode.READ).prp1(data.get(0) + offset);
      if (count == 2) {
        builder.prp2(data.get(1));
      } else if (count > 2) {
        builder.prp2(list(pageSize, listOffset, lists));
      } else {
        // To be ignored.
        builder.prp2(random.nextLong());
      }
      command = builder.build();
    }

    private long list(int pageSize, int listOffset, List<Long> lists) {
      long start = lists.removeLast() + listOffset;
      long at = start;
      int read = 0;
      long readFrom = start;
      for (int i = 1; i < data.size(); i++) {
        boolean lastOfPage = (at + 8) % pageSize == 0;
        if (lastOfPage && i < data.size() - 1) {
          long next = lists.removeLast();
          ram.set(ValueLayout.JAVA_LONG, at, next);
          listReads.add("read 0x%x+%d".formatted(readFrom, read + 8));
          at = next;
          readFrom = next;
          read = 0;
        }
        ram.set(ValueLayout.JAVA_LONG, at, data.get(i));
        at += 8;
        read += 8;
      }
      listReads.add("read 0x%x+%d".formatted(readFrom, read));
      return start;
    }

    byte[] content(int pageSize, int offset, int length) {
      ByteArrayOutputStream all = new ByteArrayOutputStream();
      for (long page : data) {
        all.writeBytes(ram.asSlice(page, pageSize).toArray(ValueLayout.JAVA_BYTE));
      }
      return Arrays.copyOfRange(all.toByteArray(), offset, offset + length);
    }
  }

  @Property(tries = 150, seed = "1")
  void dataIsWhereTheListSays(
      @ForAll @IntRange(min = 12, max = 16) int pageLog2,
      @ForAll @IntRange(max = 16383) int dwordOffset,
      @ForAll @IntRange(min = 1, max = 131072) int dwords,
      @ForAll @IntRange(max = 8191) int listEntry,
      @ForAll long seed)
      throws Exception {
    int pageSize = 1 << pageLog2;
    int offset = dwordOffset * 4 % pageSize;
    int length = dwords * 4;
    Layout layout = new Layout(pageSize, offset, length, listEntry * 8 % pageSize, seed);
    RecordingDma dma = new RecordingDma(layout.ram);
    DataPointer pointer = new DataPointer(new ControllerMemory(MemorySegment.NULL));

    assertThat(pointer.resolve(dma, layout.command, pageSize, length, true))
        .isEqualTo(Status.SUCCESS);
    assertThat(dma.journal).isEqualTo(layout.listReads);

    byte[] expected = layout.content(pageSize, offset, length);
    MemorySegment gathered = MemorySegment.ofArray(new byte[length]);
    pointer.gather(dma, gathered);
    assertThat(gathered.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(expected);

    MemorySegment before = MemorySegment.ofArray(layout.ram.toArray(ValueLayout.JAVA_BYTE));
    byte[] fresh = new byte[length];
    new Random(~seed).nextBytes(fresh);
    pointer.scatter(dma, MemorySegment.ofArray(fresh), 0);
    assertThat(layout.content(pageSize, offset, length)).isEqualTo(fresh);
    // Nothing else has changed.
    pointer.scatter(dma, MemorySegment.ofArray(expected), 0);
    assertThat(layout.ram.mismatch(before)).isEqualTo(-1);
  }
}
