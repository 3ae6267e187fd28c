package dev.peerbar.lab.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Images with a setup header and a payload, and nothing that could be run. */
public final class BzImage {
  private static final int SETUP_SECTORS = 2;
  private static final int SETUP = (SETUP_SECTORS + 1) * 512;
  private static final int RELEASE = 0x400;

  private BzImage() {}

  /**
   * An image.
   *
   * @param release as in the header's text
   * @param payload as it is there, compressed or not
   */
  public static byte[] of(String release, byte[] payload) {
    ByteBuffer image =
        ByteBuffer.allocate(SETUP + payload.length + 16).order(ByteOrder.LITTLE_ENDIAN);
    image.put(0x1f1, (byte) SETUP_SECTORS);
    image.putInt(0x202, 0x53726448);
    image.putShort(0x206, (short) 0x20f);
    image.putShort(0x20e, (short) (RELEASE - 0x200));
    image.putInt(0x248, 16);
    image.putInt(0x24c, payload.length);
    image.put(RELEASE, (release + " (a@b) #1\0").getBytes(StandardCharsets.US_ASCII));
    image.put(SETUP + 16, payload);
    return image.array();
  }
}
