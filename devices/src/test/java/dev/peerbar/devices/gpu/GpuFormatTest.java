package dev.peerbar.devices.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the bytes of a pixel are in each format. */
class GpuFormatTest {

  @ParameterizedTest
  @CsvSource({
    "B8G8R8A8_UNORM, 1, 44332211",
    "B8G8R8X8_UNORM, 2, ff332211",
    "A8R8G8B8_UNORM, 3, 11223344",
    "X8R8G8B8_UNORM, 4, ff223344",
    "R8G8B8A8_UNORM, 67, 44112233",
    "X8B8G8R8_UNORM, 68, ff443322",
    "A8B8G8R8_UNORM, 121, 11443322",
    "R8G8B8X8_UNORM, 134, ff112233"
  })
  void theBytesOfAPixelAreItsComponents(Format format, int code, String argb) {
    assertThat(format.code()).isEqualTo(code);
    assertThat(Format.of(code)).contains(format);
    MemorySegment bytes = MemorySegment.ofArray(new byte[] {0, 0x11, 0x22, 0x33, 0x44});
    int[] pixels = new int[3];
    format.convert(bytes, 1, pixels, 1, 1);
    assertThat(pixels).containsExactly(0, Integer.parseUnsignedInt(argb, 16), 0);
  }

  @Test
  void thereIsNoFormatOfAnotherCode() {
    assertThat(Format.of(0)).isEmpty();
    assertThat(Format.of(5)).isEmpty();
  }
}
