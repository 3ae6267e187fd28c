package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** DEVICE_RESET: the device is to start anew. */
public final class DeviceReset {
  private DeviceReset() {}

  /** The request, which has no payload. Nor has the reply. */
  public record Request() implements Payload {
    @Override
    public int encodedSize() {
      return 0;
    }

    @Override
    public void encode(ByteBuf out) {}

    /** Reads the payload: there is nothing to look at. */
    public static Request decode(ByteBuf in) {
      return new Request();
    }
  }
}
