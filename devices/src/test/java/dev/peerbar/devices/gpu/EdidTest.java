package dev.peerbar.devices.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a display says of itself. */
class EdidTest {
  private static final int TIMING = 54;

  private static ByteBuffer edid(int width, int height, int output) {
    byte[] bytes = Edid.of(new DisplaySize(width, height), output);
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Two numbers of 12 bits, the upper 4 of both in the third byte. */
  private static int first(ByteBuffer edid, int at) {
    return edid.get(at) & 0xff | (edid.get(at + 2) & 0xf0) << 4;
  }

  private static int second(ByteBuffer edid, int at) {
    return edid.get(at + 1) & 0xff | (edid.get(at + 2) & 0x0f) << 8;
  }

  @ParameterizedTest
  @CsvSource({"64, 64", "640, 480", "1280, 800", "1366, 768", "1920, 1080", "4095, 4095"})
  void aBlockIsWhole(int width, int height) {
    ByteBuffer edid = edid(width, height, 0);
    assertThat(edid.capacity()).isEqualTo(128);
    assertThat(edid.getLong(0)).isEqualTo(0x00ff_ffff_ffff_ff00L);
    assertThat(edid.get(18)).isEqualTo((byte) 1);
    assertThat(edid.get(19)).isEqualTo((byte) 4);
    assertThat(edid.get(126)).isZero();
    int sum = 0;
    for (byte each : edid.array()) {
      sum += each;
    }
    assertThat(sum & 0xff).isZero();
    assertThat(first(edid, TIMING + 2)).isEqualTo(width);
    assertThat(first(edid, TIMING + 5)).isEqualTo(height);
    assertThat(Short.toUnsignedInt(edid.getShort(TIMING))).isPositive();
  }

  /** What the standard's own table of reduced blanking says. */
  @ParameterizedTest
  @CsvSource({
    "1280, 800, 7100, 23, 6",
    "1920, 1080, 13850, 31, 5",
    "1600, 1200, 13025, 35, 4",
    "2560, 1600, 26850, 46, 6"
  })
  void theTimingIsThatOfReducedBlanking(int width, int height, int clock, int blank, int sync) {
    ByteBuffer edid = edid(width, height, 0);
    assertThat(Short.toUnsignedInt(edid.getShort(TIMING))).isEqualTo(clock);
    assertThat(second(edid, TIMING + 2)).isEqualTo(160);
    assertThat(second(edid, TIMING + 5)).isEqualTo(blank);
    assertThat(edid.get(TIMING + 8)).isEqualTo((byte) 48);
    assertThat(edid.get(TIMING + 9)).isEqualTo((byte) 32);
    assertThat(edid.get(TIMING + 10)).isEqualTo((byte) (3 << 4 | sync));
    assertThat(edid.get(TIMING + 11)).isZero();
  }

  @Test
  void aClockThatHasNoRoomIsOfFewerFrames() {
    DisplayTiming timing = DisplayTiming.of(new DisplaySize(4095, 4095));
    assertThat(timing.clock()).isLessThanOrEqualTo(0xffff);
    assertThat(timing.refresh()).isLessThan(60).isGreaterThan(30);
    assertThat(DisplayTiming.of(new DisplaySize(3840, 2160)).refresh()).isEqualTo(60);
  }

  @Test
  void displaysHaveOneNameAndDifferByTheirSerialNumbers() {
    ByteBuffer third = edid(1280, 800, 2);
    assertThat(third.getInt(12)).isEqualTo(3);
    assertThat(text(third, 72, 0xfc)).isEqualTo("Peerbar\n     ");
    assertThat(text(third, 90, 0xff)).isEqualTo("3\n           ");
    assertThat(edid(1280, 800, 0).getInt(12)).isEqualTo(1);
  }

  private static String text(ByteBuffer edid, int at, int tag) {
    assertThat(edid.getShort(at)).isZero();
    assertThat(edid.get(at + 3)).isEqualTo((byte) tag);
    return new String(edid.array(), at + 5, 13, StandardCharsets.US_ASCII);
  }
}
