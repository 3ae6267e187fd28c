package dev.peerbar.devices.nvme.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** Data pointers that are wrong, by exact status; what is read and moved, by number. */
final class DataPointerTest {
  private static final int PAGE = 4096;
  private static final long UNMAPPED = 0x7000_0000L;
  private static final long WINDOW = 0x9_0000_0000L;

  private final MemorySegment cmb = Arena.ofAuto().allocate(64 << 10, 4096);
  private final ControllerMemory memory = new ControllerMemory(cmb);
  private final RecordingDma dma = new RecordingDma(Arena.ofAuto().allocate(1 << 20, 4096));
  private final DataPointer pointer = new DataPointer(memory);

  private Status prp(long prp1, long prp2, int length) throws Exception {
    return pointer.resolve(
        dma,
        SubmissionEntry.builder(IoOpcode.READ).prp1(prp1).prp2(prp2).build(),
        PAGE,
        length,
        true);
  }

  private Status sgl(int type, long address, int length, int total) throws Exception {
    return sgl(1, type, address, length, total, true);
  }

  private Status sgl(int psdt, int type, long address, int length, int total, boolean toHost)
      throws Exception {
    SubmissionEntry command =
        SubmissionEntry.builder(IoOpcode.READ)
            .psdt(psdt)
            .prp1(address)
            .dword(8, length)
            .dword(9, type << 24)
            .build();
    return pointer.resolve(dma, command, PAGE, total, toHost);
  }

  private void descriptor(long at, int type, long address, int length) {
    dma.ram.set(ValueLayout.JAVA_LONG, at, address);
    dma.ram.set(ValueLayout.JAVA_INT, at + 8, length);
    dma.ram.set(ValueLayout.JAVA_INT, at + 12, type << 24);
  }

  @Test
  void prpOffsetsAreJudged() throws Exception {
    assertThat(prp(0x1000, 0, PAGE)).isEqualTo(Status.SUCCESS);
    assertThat(prp(0x1004, 0x3000, PAGE)).isEqualTo(Status.SUCCESS);
    assertThat(prp(0x1001, 0, 512)).isEqualTo(Status.PRP_OFFSET_INVALID);
    assertThat(prp(0x1002, 0, 512)).isEqualTo(Status.PRP_OFFSET_INVALID);
    // The second page begins at its beginning.
    assertThat(prp(0x1000, 0x2004, 2 * PAGE)).isEqualTo(Status.PRP_OFFSET_INVALID);
    assertThat(prp(0x1ffc, 0x2200, 8)).isEqualTo(Status.PRP_OFFSET_INVALID);
    // A list begins at any of its entries.
    assertThat(prp(0x1000, 0x2004, 3 * PAGE)).isEqualTo(Status.PRP_OFFSET_INVALID);
    assertThat(dma.journal).isEmpty();
    dma.ram.set(ValueLayout.JAVA_LONG, 0x2008, 0x3000);
    dma.ram.set(ValueLayout.JAVA_LONG, 0x2010, 0x4008);
    assertThat(prp(0x1000, 0x2008, 3 * PAGE)).isEqualTo(Status.PRP_OFFSET_INVALID);
    dma.ram.set(ValueLayout.JAVA_LONG, 0x2010, 0x4000);
    assertThat(prp(0x1000, 0x2008, 3 * PAGE)).isEqualTo(Status.SUCCESS);
    // So does the pointer to its next page.
    dma.ram.set(ValueLayout.JAVA_LONG, 0x2ff8, 0x5008);
    assertThat(prp(0x1000, 0x2ff8, 3 * PAGE)).isEqualTo(Status.PRP_OFFSET_INVALID);
  }

  @Test
  void whatCannotBeReachedIsATransferError() throws Exception {
    assertThat(prp(0x1000, UNMAPPED, 3 * PAGE)).isEqualTo(Status.DATA_TRANSFER_ERROR);
    assertThat(sgl(0x30, UNMAPPED, 16, 512)).isEqualTo(Status.DATA_TRANSFER_ERROR);
    assertThat(sgl(0x00, -256, 512, 512)).isEqualTo(Status.DATA_TRANSFER_ERROR);
  }

  @Test
  void adjacentPagesAreOneTransfer() throws Exception {
    for (int i = 0; i < 127; i++) {
      dma.ram.set(ValueLayout.JAVA_LONG, 8L * i, 0x2_1000 + (long) PAGE * i);
    }
    assertThat(prp(0x2_0000, 0, 128 * PAGE)).isEqualTo(Status.SUCCESS);
    assertThat(dma.journal).containsExactly("read 0x0+1016");
    assertThat(pointer.ranges()).isEqualTo(1);
  }

  @Test
  void sglDescriptorsAreJudged() throws Exception {
    assertThat(sgl(0x00, 0x1001, 512, 512)).isEqualTo(Status.SUCCESS);
    assertThat(sgl(2, 0x00, 0x1001, 512, 512, true)).isEqualTo(Status.SUCCESS);
    assertThat(sgl(3, 0x00, 0x1001, 512, 512, true)).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(sgl(0x00, 0x1000, 511, 512)).isEqualTo(Status.DATA_SGL_LENGTH_INVALID);
    assertThat(sgl(0x00, 0x1000, 513, 512)).isEqualTo(Status.DATA_SGL_LENGTH_INVALID);
    assertThat(sgl(0x00, 0x1000, -1, 512)).isEqualTo(Status.DATA_SGL_LENGTH_INVALID);
    for (int type : new int[] {0x01, 0x11, 0x21, 0x31, 0x40, 0x50, 0xf0, 0x0f}) {
      assertThat(sgl(type, 0x1000, 512, 512)).isEqualTo(Status.SGL_DESCRIPTOR_TYPE_INVALID);
    }
    for (int type : new int[] {0x20, 0x30}) {
      for (int length : new int[] {0, 1, 15, 17, 0xffff_ffff}) {
        assertThat(sgl(type, 0x1000, length, 512)).isEqualTo(Status.INVALID_SGL_SEGMENT_DESCRIPTOR);
      }
      assertThat(sgl(type, 0x1000, 0xffff_fff0, 512))
          .isEqualTo(Status.INVALID_NUMBER_OF_SGL_DESCRIPTORS);
    }
  }

  @Test
  void sglSegmentsAreJudged() throws Exception {
    // A segment in the middle of a segment.
    descriptor(0x1000, 0x20, 0x2000, 16);
    descriptor(0x1010, 0x00, 0x3000, 512);
    assertThat(sgl(0x20, 0x1000, 32, 512)).isEqualTo(Status.INVALID_NUMBER_OF_SGL_DESCRIPTORS);
    // A last segment that is not the last.
    descriptor(0x1000, 0x00, 0x3000, 256);
    descriptor(0x1010, 0x30, 0x2000, 16);
    assertThat(sgl(0x30, 0x1000, 32, 512)).isEqualTo(Status.INVALID_SGL_SEGMENT_DESCRIPTOR);
    descriptor(0x2000, 0x00, 0x4000, 256);
    assertThat(sgl(0x20, 0x1000, 32, 512)).isEqualTo(Status.SUCCESS);
    descriptor(0x2000, 0x00, 0x4000, 255);
    assertThat(sgl(0x20, 0x1000, 32, 512)).isEqualTo(Status.DATA_SGL_LENGTH_INVALID);
    descriptor(0x2000, 0x60, 0x4000, 256);
    assertThat(sgl(0x20, 0x1000, 32, 512)).isEqualTo(Status.SGL_DESCRIPTOR_TYPE_INVALID);
  }

  @Test
  void aChainThatLeadsNowhereEnds() throws Exception {
    descriptor(0x1000, 0x20, 0x1000, 16);
    assertThat(sgl(0x20, 0x1000, 16, 512)).isEqualTo(Status.INVALID_NUMBER_OF_SGL_DESCRIPTORS);
    assertThat(dma.journal).hasSizeLessThan(DataPointer.MOST_DESCRIPTORS + 1);
  }

  @Test
  void bitBucketsTakeDataAndGiveNone() throws Exception {
    assertThat(sgl(1, 0x10, 0, 512, 512, true)).isEqualTo(Status.SUCCESS);
    pointer.scatter(dma, MemorySegment.ofArray(new byte[512]), 0);
    assertThat(dma.journal).isEmpty();
    assertThat(sgl(1, 0x10, 0, 512, 512, false)).isEqualTo(Status.DATA_SGL_LENGTH_INVALID);
  }

  @Test
  void whatIsInTheControllerMemoryStaysThere() throws Exception {
    memory.open(WINDOW);
    // The list, and the pages that it names.
    cmb.set(ValueLayout.JAVA_LONG, 0, WINDOW + 0x2000);
    cmb.set(ValueLayout.JAVA_LONG, 8, 0x5000);
    assertThat(prp(WINDOW + 0x1000, WINDOW, 3 * PAGE)).isEqualTo(Status.SUCCESS);
    pointer.scatter(dma, MemorySegment.ofArray(new byte[3 * PAGE]), 0);
    assertThat(dma.journal).containsExactly("local+16", "local+8192", "write 0x5000+4096");
    memory.close();
    assertThat(prp(WINDOW + 0x1000, WINDOW, 3 * PAGE)).isEqualTo(Status.DATA_TRANSFER_ERROR);
  }

  @Test
  void rangesMayCrossTheWindow() throws Exception {
    memory.open(0x8000);
    assertThat(sgl(0x00, 0x7f00, 0x1_0200, 0x1_0200)).isEqualTo(Status.SUCCESS);
    byte[] data = new byte[0x1_0200];
    data[0xff] = 1;
    data[0x100] = 2;
    data[0x1_00ff] = 3;
    data[0x1_0100] = 4;
    pointer.scatter(dma, MemorySegment.ofArray(data), 0);
    assertThat(dma.journal).containsExactly("write 0x7f00+256", "local+65536", "write 0x18000+256");
    assertThat(dma.ram.get(ValueLayout.JAVA_BYTE, 0x7fff)).isEqualTo((byte) 1);
    assertThat(cmb.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 2);
    assertThat(cmb.get(ValueLayout.JAVA_BYTE, 0xffff)).isEqualTo((byte) 3);
    assertThat(dma.ram.get(ValueLayout.JAVA_BYTE, 0x1_8000)).isEqualTo((byte) 4);
    MemorySegment back = MemorySegment.ofArray(new byte[0x1_0200]);
    pointer.gather(dma, back);
    assertThat(back.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(data);
    assertThat(memory.touches(0x7f00, 0x100)).isFalse();
    assertThat(memory.touches(0x7f00, 0x101)).isTrue();
    assertThat(memory.touches(0x1_7fff, 1)).isTrue();
    assertThat(memory.touches(0x1_8000, 1)).isFalse();
  }
}
