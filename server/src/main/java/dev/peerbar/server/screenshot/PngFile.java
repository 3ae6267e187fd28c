package dev.peerbar.server.screenshot;

import dev.peerbar.endpoint.Picture;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import javax.imageio.ImageIO;

/** Pictures as PNG files (ISO/IEC 15948), of 8 bits a colour. */
public final class PngFile {
  private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

  private PngFile() {}

  /** The bytes of a picture's file. */
  public static byte[] of(Picture picture) {
    BufferedImage image =
        new BufferedImage(picture.width(), picture.height(), BufferedImage.TYPE_INT_RGB);
    image.setRGB(0, 0, picture.width(), picture.height(), picture.argb(), 0, picture.width());
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    try {
      // Without its cache, which would be a file for each picture.
      ImageIO.setUseCache(false);
      ImageIO.write(image, "png", file);
    } catch (IOException e) {
      throw new UncheckedIOException("memory can be written", e);
    }
    return file.toByteArray();
  }

  /** Whether bytes begin as such a file does. */
  public static boolean is(byte[] bytes) {
    return bytes.length > SIGNATURE.length
        && Arrays.equals(bytes, 0, SIGNATURE.length, SIGNATURE, 0, SIGNATURE.length);
  }
}
