package dev.peerbar.devices.gpu;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How large an output is. What a display can say of itself bounds it: the detailed timing of an
 * EDID has 12 bits for either side.
 *
 * @param width pixels, 64 to 4095
 * @param height pixels, 64 to 4095
 */
public record DisplaySize(int width, int height) {
  /** Linux takes no notice of detailed timings below that (drm_mode_detailed). */
  static final int LEAST = 64;

  static final int MOST = 0xfff;

  private static final Pattern SYNTAX = Pattern.compile("(\\d{1,9})x(\\d{1,9})");

  /**
   * @throws IllegalArgumentException with one sentence that says what is out of range
   */
  public DisplaySize {
    if (width < LEAST || width > MOST || height < LEAST || height > MOST) {
      throw new IllegalArgumentException(
          "An output has %d to %d pixels on either side, not %dx%d."
              .formatted(LEAST, MOST, width, height));
    }
  }

  /**
   * As people write it, such as 1280x800.
   *
   * @throws IllegalArgumentException with one sentence if it is none, or out of range
   */
  public static DisplaySize parse(String text) {
    Matcher matcher = SYNTAX.matcher(text.strip());
    if (!matcher.matches()) {
      throw new IllegalArgumentException("'%s' is not a size such as 1280x800".formatted(text));
    }
    return new DisplaySize(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
  }

  @Override
  public String toString() {
    return width + "x" + height;
  }
}
