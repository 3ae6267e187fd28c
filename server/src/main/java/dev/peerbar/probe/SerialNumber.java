package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout;
import dev.peerbar.probe.Capability.Decoded;
import java.util.HexFormat;

/** Device Serial Number (PCIe 6.0 7.9.3). */
final class SerialNumber {
  private static final String NAME = "Device Serial Number";

  private SerialNumber() {}

  static Decoded decode(ConfigBytes config, int at) {
    if (!config.has(at + ConfigLayout.SerialNumber.SERIAL_NUMBER, Long.BYTES)) {
      return Decoded.named(NAME);
    }
    byte[] bytes = new byte[Long.BYTES];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] =
          (byte) config.byteAt(at + ConfigLayout.SerialNumber.SERIAL_NUMBER + bytes.length - 1 - i);
    }
    return new Decoded(
        NAME,
        new Register.Writer(NAME, NAME + " ", 0)
            .value("serial_number", HexFormat.ofDelimiter("-").formatHex(bytes))
            .end());
  }
}
