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
    private Runnable whenGiven = () -> {};

    @Override
    public MemorySegment segment() {
      return segment;
    }

    @Override
    public void giveBack(long position, long length) {
      whenGiven.run();
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

  /** Runs something while somebody else reads, or changes, a block. */
  private void whileBlockIs(boolean written, Runnable action) {
    if (written) {
      pages.whenGiven = action;
      storage.discard(BLOCK, BLOCK);
    } else {
      boolean shown = storage.show(BLOCK, BLOCK, (_, _) -> action.run());
      assertThat(shown).isTrue();
    }
  }

  @Test
  void whatIsThereIsShownInPlace() {
    storage.write(BLOCK, ones(BLOCK), false);
    List<Long> shown = new ArrayList<>();
    assertThat(
            storage.show(
                BLOCK - 512,
                1024,
                (memory, offset) -> {
                  shown.add(offset);
                  shown.add((long) memory.get(ValueLayout.JAVA_BYTE, offset + 511));
                  shown.add((long) memory.get(ValueLayout.JAVA_BYTE, offset + 512));
                }))
        .isTrue();
    assertThat(shown).containsExactly(BLOCK - 512L, 0L, 1L);
    assertThatThrownBy(() -> storage.show(SIZE - 512, 1024, (_, _) -> shown.clear()))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(shown).hasSize(3);
  }

  @Test
  void whoMustNotWaitIsToldSo() {
    List<Boolean> done = new ArrayList<>();
    whileBlockIs(
        true,
        () -> {
          done.add(storage.readNow(2 * BLOCK - 512, ones(512)));
          done.add(storage.show(BLOCK, 512, (_, _) -> done.clear()));
          done.add(storage.writeNow(BLOCK, ones(512), true));
          done.add(storage.writeNow(2 * BLOCK, ones(512), true));
        });
    assertThat(done).containsExactly(false, false, false, true);
    done.clear();
    whileBlockIs(
        false,
        () -> {
          done.add(storage.readNow(BLOCK, ones(512)));
          done.add(storage.writeNow(BLOCK, ones(512), false));
        });
    assertThat(done).containsExactly(true, false);
    assertThat(at(BLOCK)).isZero();
    assertThat(at(2 * BLOCK)).isOne();
    MemorySegment read = ones(1024);
    assertThat(storage.readNow(2 * BLOCK, read)).isTrue();
    assertThat(read.mismatch(at(2 * BLOCK, 1024))).isEqualTo(-1);
  }

  private MemorySegment at(long position, int length) {
    MemorySegment data = ones(length);
    storage.read(position, data);
    return data;
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
