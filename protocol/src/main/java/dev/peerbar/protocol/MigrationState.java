package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/**
 * Where the device is in a migration (VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE).
 *
 * @param state to get, the one it is in; to set, the one to go to
 * @param dataFd not used in vfio-user
 */
public record MigrationState(State state, int dataFd) implements Payload {
  static final int DEVICE_STATE = 0;
  static final int DATA_FD = 4;
  static final int LENGTH = 8;

  /** The states of the machine, in the order of their codes (enum vfio_device_mig_state). */
  public enum State {
    ERROR,
    STOP,
    RUNNING,
    STOP_COPY,
    RESUMING,
    RUNNING_P2P,
    PRE_COPY,
    PRE_COPY_P2P;

    /** The number on the wire. */
    public int code() {
      return ordinal();
    }
  }

  @Override
  public int encodedSize() {
    return LENGTH;
  }

  @Override
  public void encode(ByteBuf out) {
    out.writeIntLE(state.code());
    out.writeIntLE(dataFd);
  }

  /**
   * Reads the data of the feature.
   *
   * @throws InvalidMessageException if it is too short or the state is none
   */
  public static MigrationState decode(ByteBuf in) throws InvalidMessageException {
    Fields.atLeast(in, LENGTH);
    int code = in.getIntLE(in.readerIndex() + DEVICE_STATE);
    if (code < 0 || code >= State.values().length) {
      throw new InvalidMessageException("migration state " + Integer.toUnsignedString(code));
    }
    return new MigrationState(State.values()[code], in.getIntLE(in.readerIndex() + DATA_FD));
  }
}
