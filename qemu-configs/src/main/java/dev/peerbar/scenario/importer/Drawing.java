package dev.peerbar.scenario.importer;

import dev.peerbar.driver.Memory;
import dev.peerbar.endpoint.Picture;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.Wait;
import dev.peerbar.scenario.fixture.gpu.HbmAndGpu;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Optional;
import java.util.Random;

/**
 * A picture in which no two rows or columns are alike, so that none can stand for another.
 *
 * @param rgb row by row from the top left, 8 bits each of red, green and blue, blue the lowest
 */
record Drawing(int width, int height, int[] rgb) {
  private static final int OPAQUE = 0xff << 24;
  private static final Duration LIMIT = Duration.ofSeconds(30);

  /** One by a seed. */
  static Drawing of(int width, int height, long seed) {
    Random random = new Random(seed);
    int[] rows = random.ints(height).toArray();
    int[] columns = random.ints(width).toArray();
    int[] rgb = new int[width * height];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        rgb[y * width + x] = (rows[y] ^ columns[x]) & ~OPAQUE;
      }
    }
    return new Drawing(width, height, rgb);
  }

  /**
   * Its pixels as XRGB8888.
   *
   * @param pitch bytes from a row to the next
   */
  byte[] bytes(int pitch) {
    ByteBuffer bytes = ByteBuffer.allocate(height * pitch).order(ByteOrder.LITTLE_ENDIAN);
    for (int y = 0; y < height; y++) {
      bytes.position(y * pitch);
      for (int x = 0; x < width; x++) {
        bytes.putInt(rgb[y * width + x]);
      }
    }
    return bytes.array();
  }

  /**
   * Writes its pixels as XRGB8888.
   *
   * @param pitch bytes from a row to the next
   */
  void put(Memory memory, int pitch) throws IOException {
    memory.write(0, bytes(pitch));
  }

  /**
   * Waits until the card shows it: a flush may be under way when the call that asks for it is over.
   *
   * @throws UnexpectedException with the first pixel that is another's, if it does not
   */
  void await(HbmAndGpu pair) throws UnexpectedException, InterruptedException {
    try {
      Wait.until(
          () -> pair.gpu().screenshot(0).filter(this::isIn).isPresent(), LIMIT, "the picture");
    } catch (UnexpectedException e) {
      Optional<Picture> shown = pair.gpu().screenshot(0);
      throw new UnexpectedException(shown.map(this::difference).orElse("it shows nothing"));
    }
  }

  /** Whether a picture is this one, pixel by pixel. */
  boolean isIn(Picture picture) {
    return picture.width() == width
        && picture.height() == height
        && firstOther(picture) == rgb.length;
  }

  private int firstOther(Picture picture) {
    int i = 0;
    while (i < rgb.length && picture.argb()[i] == (rgb[i] | OPAQUE)) {
      i++;
    }
    return i;
  }

  private String difference(Picture picture) {
    if (picture.width() != width || picture.height() != height) {
      return "the picture is %dx%d".formatted(picture.width(), picture.height());
    }
    int i = firstOther(picture);
    return i == rgb.length
        ? "the picture came too late"
        : "pixel %d, %d is 0x%08x, not 0x%08x"
            .formatted(i % width, i / width, picture.argb()[i], rgb[i] | OPAQUE);
  }
}
