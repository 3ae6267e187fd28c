package dev.peerbar.devices.hbm;

/** Values of a channel's STATE register. */
public enum ChannelState {
  IDLE(0),
  RUNNING(1),
  HALTED(2),
  ABORTED(3);

  private final int code;

  ChannelState(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }
}
