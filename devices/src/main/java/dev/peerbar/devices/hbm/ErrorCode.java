package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.StateReader;
import dev.peerbar.pci.InvalidStateException;

/**
 * Why a channel stopped: values of ERROR, FAULT and completion records, in the order of their
 * codes.
 */
public enum ErrorCode {
  NONE(0),
  BAD_DESCRIPTOR(1),
  READ_FAULT(2),
  WRITE_FAULT(3),
  OUTSIDE_MEMORY(4),

  /**
   * The entry at HEAD was begun and not finished. As the error of a halt it says that the endpoint
   * itself has failed: no other code would be true, as each of them blames the driver or memory.
   */
  ABORTED(5),
  BUS_MASTER_DISABLED(6);

  private final int code;

  ErrorCode(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }

  static ErrorCode of(DmaFaultException fault) {
    if (fault.reason() == DmaFaultException.Reason.BUS_MASTER_DISABLED) {
      return BUS_MASTER_DISABLED;
    }
    return switch (fault.access()) {
      case READ -> READ_FAULT;
      case WRITE -> WRITE_FAULT;
    };
  }

  static ErrorCode restore(StateReader state) throws InvalidStateException {
    return values()[state.getInt("ERROR", values().length - 1)];
  }

  /** Whether a channel can halt with it. */
  boolean halts() {
    return this != NONE;
  }

  /** Whether it is about a DMA transfer, which had an address. */
  boolean hasAddress() {
    return this == READ_FAULT || this == WRITE_FAULT || this == BUS_MASTER_DISABLED;
  }
}
