package dev.peerbar.probe;

import dev.peerbar.probe.Capability.Decoded;
import java.util.HexFormat;

/** Device Serial Number (PCIe 6.0 7.9.3). */
final class SerialNumber {
  private static final String NAME = "Device Serial Number";
  private static final int NUMBER = 4;

  private SerialNumber() {}

  static Decoded decode(ConfigBytes config, int at) {
    if (!config.has(at + NUMBER, Long.BYTES)) {
      return Decoded.named(NAME);
    }
    byte[] bytes = new byte[Long.BYTES];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) config.byteAt(at + NUMBER + bytes.length - 1 - i);
    }
    return new Decoded(
        NAME,
        new Register.Writer(NAME, NAME + " ", 0)
            .value("serial_number", HexFormat.ofDelimiter("-").formatHex(bytes))
            .end());
  }
}
