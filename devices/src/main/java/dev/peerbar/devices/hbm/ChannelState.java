package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.StateReader;
import dev.peerbar.pci.InvalidStateException;

/** Values of a channel's STATE register, in the order of their codes. */
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

  static ChannelState restore(StateReader state) throws InvalidStateException {
    return values()[state.getInt("STATE", values().length - 1)];
  }
}
