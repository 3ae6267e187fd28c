package dev.peerbar.devices.gpu;

/** What a command is answered with (Virtual I/O Device 1.3, 5.7.6.7). */
public enum ResponseType {
  OK_NODATA(0x1100),
  OK_DISPLAY_INFO(0x1101),
  OK_EDID(0x1104),
  OK_RESOURCE_UUID(0x1105),
  ERR_UNSPEC(0x1200),
  ERR_OUT_OF_MEMORY(0x1201),
  ERR_INVALID_SCANOUT_ID(0x1202),
  ERR_INVALID_RESOURCE_ID(0x1203),
  ERR_INVALID_PARAMETER(0x1205);

  private final int code;

  ResponseType(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }
}
