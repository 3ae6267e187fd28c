package dev.peerbar.devices.ioat;

/** What a channel is doing: the low bits of CHANSTS. */
public enum ChannelState {
  /** It has descriptors to carry out. */
  ACTIVE(0),
  /** It has carried out all that are valid. */
  DONE(1),
  /** Stopped between two descriptors, until it is told to go on or given another chain. */
  SUSPENDED(2),
  /** Stopped by a reset or an error; the next chain starts it. */
  HALTED(3);

  private final int code;

  ChannelState(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }

  /** That in a CHANSTS. */
  public static ChannelState of(long status) {
    int code = (int) status & IoatRegisters.CHANSTS_STATE;
    for (ChannelState state : values()) {
      if (state.code == code) {
        return state;
      }
    }
    throw new IllegalArgumentException("CHANSTS is 0x%x".formatted(status));
  }
}
