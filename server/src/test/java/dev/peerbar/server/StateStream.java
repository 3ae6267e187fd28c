package dev.peerbar.server;

import dev.peerbar.protocol.client.VfioUserClient;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32C;

/** A device's state as migration clients move it, and as hostile ones forge it. */
final class StateStream {
  static final int HEADER = 136;
  static final int SECTION = 24;
  static final int CHECKSUM = 4;

  static final int CONFIG = 1;
  static final int MSIX = 2;
  static final int ENDPOINT = 3;
  static final int DOORBELLS = 4;
  static final int MEMORY = 5;
  static final int END = 6;

  static final int TYPE = 0;
  static final int INDEX = 4;
  static final int OFFSET = 8;
  static final int LENGTH = 16;

  private StateStream() {}

  /** Reads until less comes than was asked for. */
  static byte[] read(VfioUserClient client, int piece) throws IOException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    while (true) {
      byte[] part = client.migrationRead(piece);
      all.writeBytes(part);
      if (part.length < piece) {
        return all.toByteArray();
      }
    }
  }

  /** Writes in pieces of the sizes, again and again. */
  static void write(VfioUserClient client, byte[] stream, int... sizes) throws IOException {
    int at = 0;
    for (int i = 0; at < stream.length; i++) {
      int end = Math.min(at + sizes[i % sizes.length], stream.length);
      client.migrationWrite(Arrays.copyOfRange(stream, at, end));
      at = end;
    }
  }

  /** Where the nth section of a type begins. */
  static int section(byte[] stream, int type, int nth) {
    ByteBuffer bytes = ByteBuffer.wrap(stream).order(ByteOrder.LITTLE_ENDIAN);
    int left = nth;
    for (int at = HEADER; at < stream.length; at += SECTION + (int) bytes.getLong(at + LENGTH)) {
      if (bytes.getInt(at + TYPE) == type && left-- == 0) {
        return at;
      }
    }
    throw new AssertionError("no section of type " + type);
  }

  static int section(byte[] stream, int type) {
    return section(stream, type, 0);
  }

  /** What somebody does to a stream. */
  interface Forgery {
    void apply(ByteBuffer stream);
  }

  /** A copy with changes, and with the checksum that belongs to it. */
  static byte[] forged(byte[] stream, Forgery forgery) {
    byte[] copy = stream.clone();
    forgery.apply(ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN));
    return summed(copy);
  }

  /** With its last bytes set to the checksum of all before them. */
  static byte[] summed(byte[] stream) {
    CRC32C sum = new CRC32C();
    sum.update(stream, 0, stream.length - CHECKSUM);
    ByteBuffer.wrap(stream)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(stream.length - CHECKSUM, (int) sum.getValue());
    return stream;
  }

  static byte[] concatenated(byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }
}
