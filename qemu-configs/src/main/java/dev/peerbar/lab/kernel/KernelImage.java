package dev.peerbar.lab.kernel;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/** A bzImage, by its setup header (Documentation/arch/x86/boot.rst). */
final class KernelImage {
  private static final int SECTOR = 512;
  private static final int SETUP_SECTORS = 0x1f1;
  private static final int MAGIC = 0x202;
  private static final int PROTOCOL = 0x206;
  private static final int VERSION = 0x20e;
  private static final int PAYLOAD_OFFSET = 0x248;
  private static final int PAYLOAD_LENGTH = 0x24c;
  private static final int HEADER_END = 0x250;

  /** "HdrS". */
  private static final int HEADER = 0x53726448;

  /** The first with a payload that can be found. */
  private static final int PROTOCOL_2_08 = 0x208;

  private static final int MOST_SECTORS_IF_NONE_SAID = 4;

  // Around a gzipped .config (kernel/configs.c).
  private static final byte[] CONFIG_START = "IKCFG_ST".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] CONFIG_END = "IKCFG_ED".getBytes(StandardCharsets.US_ASCII);

  private final byte[] bytes;
  private final ByteBuffer header;

  private KernelImage(byte[] bytes) {
    this.bytes = bytes;
    header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  static KernelImage read(Path file) throws IOException {
    return new KernelImage(Files.readAllBytes(file));
  }

  private boolean isBzImage() {
    return bytes.length > HEADER_END
        && header.getInt(MAGIC) == HEADER
        && header.getShort(PROTOCOL) >= PROTOCOL_2_08;
  }

  /** Its release, such as {@code 7.3.4+deb13-amd64}, if it says it. */
  Optional<String> release() {
    if (!isBzImage() || header.getShort(VERSION) == 0) {
      return Optional.empty();
    }
    int start = Short.toUnsignedInt(header.getShort(VERSION)) + SECTOR;
    int end = start;
    while (end < bytes.length && bytes[end] > ' ') {
      end++;
    }
    return end > start && end < bytes.length
        ? Optional.of(new String(bytes, start, end - start, StandardCharsets.US_ASCII))
        : Optional.empty();
  }

  /** The configuration in it (CONFIG_IKCONFIG), if it has one that can be reached. */
  Optional<String> config() {
    try {
      byte[] kernel = isBzImage() ? Compressed.expand(payload()) : bytes;
      int start = find(kernel, CONFIG_START, 0);
      int end = start < 0 ? -1 : find(kernel, CONFIG_END, start);
      return end < 0
          ? Optional.empty()
          : Optional.of(
              new String(
                  Compressed.expand(Arrays.copyOfRange(kernel, start + CONFIG_START.length, end)),
                  StandardCharsets.UTF_8));
    } catch (IOException damaged) {
      // QEMU or the kernel will say what is wrong with it, better than this could.
      return Optional.empty();
    }
  }

  private byte[] payload() {
    int sectors = Byte.toUnsignedInt(bytes[SETUP_SECTORS]);
    long start =
        (1L + (sectors == 0 ? MOST_SECTORS_IF_NONE_SAID : sectors)) * SECTOR
            + Integer.toUnsignedLong(header.getInt(PAYLOAD_OFFSET));
    long end = start + Integer.toUnsignedLong(header.getInt(PAYLOAD_LENGTH));
    if (start >= end - Integer.BYTES || end > bytes.length) {
      return new byte[0];
    }
    byte[] payload = Arrays.copyOfRange(bytes, (int) start, (int) end);
    // All but gzip, which does so itself, have the length of the whole behind them.
    return Compressed.GZIP.begins(payload)
        ? payload
        : Arrays.copyOf(payload, payload.length - Integer.BYTES);
  }

  private static int find(byte[] in, byte[] what, int from) {
    for (int i = from; i <= in.length - what.length; i++) {
      if (in[i] == what[0] && Arrays.equals(in, i, i + what.length, what, 0, what.length)) {
        return i;
      }
    }
    return -1;
  }
}
