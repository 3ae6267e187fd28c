package dev.peerbar.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class MemoryStorageTest {
  private static final int BLOCK = Storage.ATOMIC_BLOCK;
  private static final long SIZE = 8L << 20;

  /** Says what was given back. */
  private static final class Pages implements MemoryStorage.Memory {
    private final MemorySegment segment = Arena.ofAuto().allocate(SIZE);
    private final List<Long> given = new ArrayList<>();
    private int closed;

    @Override
    public MemorySegment segment() {
      return segment;
    }

    @Override
    public void giveBack(long position, long length) {
      assertThat(position % BLOCK).isZero();
      assertThat(length % BLOCK).isZero();
      for (long at = position; at < position + length; at += BLOCK) {
        given.add(at / BLOCK);
      }
      segment.asSlice(position, length).fill((byte) 0);
    }

    @Override
    public void close() {
      closed++;
    }
  }

  private final Pages pages = new Pages();
  private final MemoryStorage storage = new MemoryStorage(pages);

  private static MemorySegment ones(long length) {
    MemorySegment data = MemorySegment.ofArray(new byte[(int) length]);
    return data.fill((byte) 1);
  }

  private byte at(long position) {
    MemorySegment data = MemorySegment.ofArray(new byte[1]);
    storage.read(position, data);
    return data.get(ValueLayout.JAVA_BYTE, 0);
  }

  @Test
  void discardGivesWholeBlocksBackAndKeepsParts() {
    storage.write(0, ones(SIZE), false);
    assertThat(storage.discard(BLOCK - 512, 2 * BLOCK + 1024)).isEqualTo(2 * BLOCK + 1024);
    assertThat(pages.given).containsExactly(1L, 2L);
    assertThat(at(BLOCK - 1)).isOne();
    assertThat(at(BLOCK)).isZero();
    assertThat(at(3 * BLOCK - 1)).isZero();
    assertThat(at(3 * BLOCK)).isOne();
  }

  @Test
  void discardOfPartsOfBlocksDoesNothing() {
    storage.write(0, ones(SIZE), false);
    storage.discard(512, BLOCK - 512);
    storage.discard(BLOCK - 512, 1024);
    assertThat(pages.given).isEmpty();
    assertThat(at(512)).isOne();
    assertThat(at(BLOCK)).isOne();
  }

  private void zeroAll(long position, long length, boolean deallocate) {
    for (long done = 0; done < length; ) {
      done += storage.zero(position + done, length - done, deallocate);
    }
  }

  @Test
  void zeroGivesBackOnlyIfAsked() {
    storage.write(0, ones(SIZE), false);
    zeroAll(512, SIZE - 1024, false);
    assertThat(pages.given).isEmpty();
    assertThat(at(511)).isOne();
    assertThat(at(512)).isZero();
    zeroAll(512, SIZE - 1024, true);
    assertThat(pages.given).hasSize((int) (SIZE / BLOCK) - 2).doesNotHaveDuplicates();
    assertThat(at(SIZE - 512)).isOne();
    assertThat(at(SIZE - 513)).isZero();
  }

  @Test
  void rangesOutsideAreRefused() {
    assertThatThrownBy(() -> storage.read(SIZE - 512, ones(1024)))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> storage.write(-512, ones(512), false))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> storage.zero(512, SIZE, true))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> storage.discard(Long.MAX_VALUE, 512))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(pages.given).isEmpty();
  }

  @Test
  void nothingTouchesTheMemoryAfterTheClose() {
    storage.close();
    storage.close();
    assertThat(pages.closed).isOne();
    assertThatThrownBy(() -> storage.read(0, ones(512))).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> storage.write(0, ones(512), true))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> storage.zero(0, 512, true)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> storage.discard(0, BLOCK)).isInstanceOf(IllegalStateException.class);
  }
}
