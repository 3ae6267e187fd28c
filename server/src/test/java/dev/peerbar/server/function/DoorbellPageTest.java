package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Doorbells that are stores. */
final class DoorbellPageTest {
  private final List<String> rung = new ArrayList<>();

  private DoorbellPage page(int stride, int count) throws Exception {
    return new DoorbellPage(
        new SharedBar("doorbell-page-test", 0x2000),
        new Bar.Doorbells(0x1000, 0x1000, stride, count),
        this::ring);
  }

  private void ring(long offset, int value) {
    if (value < 0) {
      throw new IllegalStateException("broken");
    }
    rung.add("0x%x %d".formatted(offset, value));
  }

  private static void store(DoorbellPage page, long offset, int value) {
    page.memory().set(ValueLayout.JAVA_INT, offset, value);
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 8, 0x100})
  void everyRegisterThatWasStoredToRingsOnce(int stride) throws Exception {
    DoorbellPage page = page(stride, 5);
    assertThat(page.rings()).isFalse();
    assertThat(page.scan()).isFalse();
    for (int register : new int[] {0, 3, 4}) {
      store(page, 0x1000 + (long) register * stride, 7 + register);
      assertThat(page.rings()).isTrue();
    }
    assertThat(page.scan()).isTrue();
    assertThat(rung)
        .containsExactly(
            "0x1000 7",
            "0x%x 10".formatted(0x1000 + 3 * stride),
            "0x%x 11".formatted(0x1000 + 4 * stride));
    assertThat(page.rings()).isFalse();
    assertThat(page.scan()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(ints = {0x1000, 0x1001, 0x1002, 0x1003, 0x1013})
  void aChangeOfAnyByteOfARegisterRings(int offset) throws Exception {
    DoorbellPage page = page(4, 5);
    page.memory().set(ValueLayout.JAVA_BYTE, offset, (byte) 1);
    assertThat(page.scan()).isTrue();
    assertThat(rung).containsExactly("0x%x %d".formatted(offset & ~3, 1 << 8 * (offset & 3)));
  }

  @Test
  void whatLiesBetweenRegistersOrBehindThemMeansNothing() throws Exception {
    DoorbellPage page = page(16, 3);
    store(page, 0x1004, 1);
    store(page, 0x101c, 2);
    store(page, 0x1010, 5);
    store(page, 0x1024, 3);
    page.scan();
    assertThat(rung).containsExactly("0x1010 5");
    assertThat(page.rings()).as("there is no reason to look again").isFalse();
  }

  /** A client that stores without an end is looked at once a scan. */
  @ParameterizedTest
  @ValueSource(ints = {4, 0x100})
  void aRegisterThatChangesAllTheTimeEndsNoScan(int stride) throws Exception {
    DoorbellPage[] busy = new DoorbellPage[1];
    busy[0] =
        new DoorbellPage(
            new SharedBar("doorbell-page-test", 0x2000),
            new Bar.Doorbells(0x1000, 0x1000, stride, 3),
            (offset, value) -> {
              ring(offset, value);
              store(busy[0], offset, value + 1);
            });
    store(busy[0], 0x1000, 1);
    store(busy[0], 0x1000 + 2L * stride, 5);
    busy[0].scan();
    assertThat(rung).containsExactly("0x1000 1", "0x%x 5".formatted(0x1000 + 2 * stride));
    assertThat(busy[0].rings()).isTrue();
  }

  /** What one doorbell sets off may fail: the others are rung all the same. */
  @Test
  void aDoorbellThatFailsLeavesTheOthers() throws Exception {
    DoorbellPage page = page(0x100, 4);
    store(page, 0x1100, -1);
    store(page, 0x1300, 9);
    assertThatIllegalStateException().isThrownBy(page::scan).withMessage("broken");
    assertThat(page.rings()).isTrue();
    assertThat(page.scan()).isTrue();
    assertThat(rung).containsExactly("0x1300 9");
    assertThat(page.read(0x1100, AccessWidth.DWORD)).isEqualTo(0xffff_ffffL);
  }

  @Test
  void whatIsClearedDoesNotRing() throws Exception {
    DoorbellPage page = page(4, 4);
    store(page, 0x1004, 3);
    store(page, 0x1008, 4);
    page.clear(0x1004);
    page.clear(0x100a);
    page.clear(0x1010);
    page.scan();
    assertThat(rung).containsExactly("0x1008 4");
    page.clear();
    assertThat(page.rings()).isFalse();
    assertThat(page.read(0x1008, AccessWidth.DWORD)).isZero();
  }

  /** Of a driver that stores now and then, after as many commands as its queue has entries. */
  @Test
  void aStoreThatIsExpectedRingsWithTheSameValue() throws Exception {
    DoorbellPage page = page(4, 4);
    store(page, 0x1004, 3);
    page.scan();
    store(page, 0x1004, 3);
    assertThat(page.rings()).isFalse();
    page.expect(0x1004);
    page.expect(0x1004);
    page.expect(0x1006);
    page.expect(0x1010);
    assertThat(page.rings()).as("nothing was stored").isFalse();
    store(page, 0x1004, 3);
    page.scan();
    assertThat(rung).containsExactly("0x1004 3", "0x1004 3");
  }

  @Test
  void aStoreThatComesBeforeItIsExpectedRings() throws Exception {
    DoorbellPage page = page(4, 4);
    store(page, 0x1004, 3);
    page.expect(0x1004);
    page.scan();
    assertThat(rung).containsExactly("0x1004 3");
  }

  @Test
  void whatIsRestoredDoesNotRing() throws Exception {
    DoorbellPage page = page(4, 4);
    store(page, 0x1004, 3);
    byte[] saved = page.save();
    assertThat(rung).containsExactly("0x1004 3");
    DoorbellPage other = page(4, 4);
    store(other, 0x100c, 8);
    other.restore(saved);
    assertThat(other.rings()).isFalse();
    assertThat(other.read(0x1004, AccessWidth.DWORD)).isEqualTo(3);
    assertThat(other.read(0x100c, AccessWidth.DWORD)).isZero();
  }
}
