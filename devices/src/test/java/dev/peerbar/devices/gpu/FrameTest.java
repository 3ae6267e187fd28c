package dev.peerbar.devices.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** A frame that somebody looks at while others take its place. */
class FrameTest {
  private static final int BLACK = 0xff00_0000;

  @Test
  void aFrameNeverChanges() {
    Frame before = Frame.black(2, 3);
    int[][] rows = before.copyOfRows(1, 1);
    rows[0][1] = 0x12_3456;
    Frame after = before.with(1, rows);
    assertThat(before.pixels()).containsOnly(BLACK);
    assertThat(after.pixels()).containsExactly(BLACK, BLACK, BLACK, 0xff12_3456, BLACK, BLACK);
    after.copyOfRows(0, 3)[1][1] = 0;
    after.pixels()[3] = 0;
    assertThat(after.pixels()[3]).isEqualTo(0xff12_3456);
  }
}
