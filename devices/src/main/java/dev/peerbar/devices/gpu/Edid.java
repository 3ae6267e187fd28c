package dev.peerbar.devices.gpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * What a display says of itself: one block of 128 bytes (VESA Enhanced EDID Standard, release A
 * revision 2: EDID structure version 1, revision 4; sections are of that).
 */
final class Edid {
  static final int BYTES = 128;

  /** Of the display, as people are shown it; at most 13 characters. */
  static final String NAME = "Peerbar";

  private static final long HEADER = 0x00ff_ffff_ffff_ff00L;

  /** PBR: three letters of 5 bits, big-endian (3.4.1). */
  private static final short MANUFACTURER =
      (short) (('P' - '@') << 10 | ('B' - '@') << 5 | ('R' - '@'));

  private static final short PRODUCT = 1;

  /** What follows is the year of the model, not of manufacture (3.4.4). */
  private static final byte MODEL_YEAR = (byte) 0xff;

  private static final int YEAR = 2026;
  private static final int FIRST_YEAR = 1990;
  private static final byte VERSION = 1;
  private static final byte REVISION = 4;

  /** Digital, 8 bits of each color, DisplayPort (3.6.1). */
  private static final byte VIDEO_INPUT = (byte) (0x80 | 2 << 4 | 5);

  /** 2.2, in hundredths from 1 on (3.6.3). */
  private static final byte GAMMA = 120;

  /** sRGB, and the first detailed timing is the native one (3.6.4). */
  private static final byte FEATURES = 0x04 | 0x02;

  /** Of sRGB (3.7). */
  private static final byte[] CHROMATICITY = {
    (byte) 0xee, (byte) 0x91, (byte) 0xa3, 0x54, 0x4c, (byte) 0x99, 0x26, 0x0f, 0x50, 0x54
  };

  /** 640x480 and 800x600, then 1024x768, all at 60 Hz; none of the manufacturer's (3.8). */
  private static final byte[] ESTABLISHED = {0x20 | 0x01, 0x08, 0};

  private static final int STANDARD_TIMINGS = 8;
  private static final short NO_STANDARD_TIMING = 0x0101;

  /** Digital, separate synchronisation: horizontal positive, vertical negative (3.10.2). */
  private static final byte SYNC = 0x18 | 0x02;

  private static final int TEXT_BYTES = 13;
  private static final byte SERIAL_TEXT = (byte) 0xff;
  private static final byte NAME_TEXT = (byte) 0xfc;
  private static final byte DUMMY = 0x10;

  /** Pixels are as large as on a display of 96 to the inch. */
  private static final int PER_INCH = 96;

  private static final double MILLIMETRES = 25.4;

  private Edid() {}

  /**
   * That of an output.
   *
   * @param output counted from 0: displays of one device differ by their serial numbers
   */
  static byte[] of(DisplaySize size, int output) {
    ByteBuffer block = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    int millimetresWide = millimetres(size.width());
    int millimetresHigh = millimetres(size.height());
    block.putLong(HEADER);
    block.putShort(Short.reverseBytes(MANUFACTURER)).putShort(PRODUCT).putInt(output + 1);
    block.put(MODEL_YEAR).put((byte) (YEAR - FIRST_YEAR)).put(VERSION).put(REVISION);
    block.put(VIDEO_INPUT).put(centimetres(millimetresWide)).put(centimetres(millimetresHigh));
    block.put(GAMMA).put(FEATURES).put(CHROMATICITY).put(ESTABLISHED);
    for (int i = 0; i < STANDARD_TIMINGS; i++) {
      block.putShort(NO_STANDARD_TIMING);
    }
    detailed(block, DisplayTiming.of(size), millimetresWide, millimetresHigh);
    text(block, NAME_TEXT, NAME);
    text(block, SERIAL_TEXT, String.valueOf(output + 1));
    text(block, DUMMY, "");
    // No extension follows; then what makes the sum of all bytes zero.
    block.put((byte) 0).put(checksum(block));
    return block.array();
  }

  private static int millimetres(int pixels) {
    return (int) Math.round(pixels * MILLIMETRES / PER_INCH);
  }

  private static byte centimetres(int millimetres) {
    return (byte) Math.max(1, (millimetres + 5) / 10);
  }

  /** A detailed timing descriptor (3.10.2): upper bits of two numbers share a byte. */
  private static void detailed(ByteBuffer block, DisplayTiming timing, int wide, int high) {
    int width = timing.size().width();
    int height = timing.size().height();
    block.putShort((short) timing.clock());
    pair(block, width, DisplayTiming.HORIZONTAL_BLANK);
    pair(block, height, timing.verticalBlank());
    // All four are below the size at which they need their upper bits.
    block
        .put((byte) DisplayTiming.HORIZONTAL_FRONT_PORCH)
        .put((byte) DisplayTiming.HORIZONTAL_SYNC)
        .put((byte) (DisplayTiming.VERTICAL_FRONT_PORCH << 4 | timing.verticalSync()))
        .put((byte) 0);
    pair(block, wide, high);
    block.put((byte) 0).put((byte) 0).put(SYNC);
  }

  private static void pair(ByteBuffer block, int first, int second) {
    block.put((byte) first).put((byte) second).put((byte) (first >> 8 << 4 | second >> 8));
  }

  /** A display descriptor of text (3.10.3): a line feed ends it, blanks fill it up. */
  private static void text(ByteBuffer block, byte tag, String text) {
    block.putShort((short) 0).put((byte) 0).put(tag).put((byte) 0);
    byte[] field = new byte[TEXT_BYTES];
    if (!text.isEmpty()) {
      String ended = text + "\n" + " ".repeat(TEXT_BYTES - text.length() - 1);
      field = ended.getBytes(StandardCharsets.US_ASCII);
    }
    block.put(field);
  }

  private static byte checksum(ByteBuffer block) {
    int sum = 0;
    for (int i = 0; i < block.position(); i++) {
      sum += block.get(i);
    }
    return (byte) -sum;
  }
}
