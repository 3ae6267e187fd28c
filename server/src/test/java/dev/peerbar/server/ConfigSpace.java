package dev.peerbar.server;

import dev.peerbar.protocol.client.VfioUserClient;
import io.netty.buffer.Unpooled;
import java.io.IOException;

/** What a driver does to a function's config space. */
record ConfigSpace(VfioUserClient client) {
  static final int COMMAND = 4;
  static final short MEMORY_SPACE = 2;
  static final short BUS_MASTER = 4;

  static final int POWER_MANAGEMENT_ID = 0x01;
  static final int PCI_EXPRESS_ID = 0x10;
  static final int MSIX_ID = 0x11;

  static final int DEVICE_CONTROL = 8;
  static final int INITIATE_FLR = 1 << 15;

  private static final int CAPABILITIES = 0x34;
  private static final int MSIX_CONTROL = 2;
  private static final int MSIX_ENABLE = 1 << 15;
  private static final int MSIX_FUNCTION_MASK = 1 << 14;
  private static final int POWER_CONTROL = 4;

  void command(short value) throws IOException {
    writeWord(COMMAND, value);
  }

  void enableMsix(boolean masked) throws IOException {
    writeWord(
        capability(MSIX_ID) + MSIX_CONTROL,
        masked ? MSIX_ENABLE | MSIX_FUNCTION_MASK : MSIX_ENABLE);
  }

  void functionLevelReset() throws IOException {
    writeWord(capability(PCI_EXPRESS_ID) + DEVICE_CONTROL, INITIATE_FLR);
  }

  void powerState(int state) throws IOException {
    writeWord(capability(POWER_MANAGEMENT_ID) + POWER_CONTROL, state);
  }

  private void writeWord(int offset, int value) throws IOException {
    client.regionWrite(
        Wire.CONFIG, offset, Unpooled.buffer(Short.BYTES).writeShortLE(value).array());
  }

  int capability(int id) throws IOException {
    int at = client.regionRead(Wire.CONFIG, CAPABILITIES, 1)[0] & 0xff;
    while (at != 0) {
      byte[] header = client.regionRead(Wire.CONFIG, at, 2);
      if (header[0] == id) {
        return at;
      }
      at = header[1] & 0xff;
    }
    throw new AssertionError("no capability " + id);
  }
}
