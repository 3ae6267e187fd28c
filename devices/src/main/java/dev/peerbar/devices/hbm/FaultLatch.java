package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.StateReader;
import dev.peerbar.endpoint.StateWriter;
import dev.peerbar.pci.InvalidStateException;

/**
 * FAULT and FAULT_ADDR: the first error since the latch was last cleared, whichever channel's.
 *
 * <p>FAULT_ADDR is zero for an error that is not a DMA fault. Clearing the latch clears both.
 */
final class FaultLatch {
  private long fault;
  private long address;

  /** Keeps the error unless there is one. */
  void latch(int channel, ErrorCode error, long iova) {
    if (!latched()) {
      fault = encode(channel, error);
      address = iova;
    }
  }

  private static long encode(int channel, ErrorCode error) {
    return HbmRegisters.FAULT_LATCHED
        | channel << HbmRegisters.FAULT_CHANNEL_SHIFT
        | error.code() << HbmRegisters.FAULT_ERROR_SHIFT;
  }

  boolean latched() {
    return fault != 0;
  }

  long fault() {
    return fault;
  }

  long address() {
    return address;
  }

  /** A write of FAULT: a 1 in the latched bit clears, anything else has no effect. */
  void write(long value) {
    if ((value & HbmRegisters.FAULT_LATCHED) != 0) {
      clear();
    }
  }

  void clear() {
    fault = 0;
    address = 0;
  }

  void save(StateWriter state) {
    state.putInt(fault).putLong(address);
  }

  /**
   * Judges saved fields.
   *
   * @param channels of the endpoint
   * @return what takes them on
   * @throws InvalidStateException if no error of this endpoint leaves them
   */
  Runnable judge(StateReader state, int channels) throws InvalidStateException {
    long savedFault = state.getInt();
    long savedAddress = state.getLong();
    if (!possible(savedFault, savedAddress, channels)) {
      throw new InvalidStateException(
          "FAULT 0x%x with FAULT_ADDR 0x%x".formatted(savedFault, savedAddress));
    }
    return () -> {
      fault = savedFault;
      address = savedAddress;
    };
  }

  private static boolean possible(long fault, long address, int channels) {
    if (fault == 0) {
      return address == 0;
    }
    for (ErrorCode error : ErrorCode.values()) {
      for (int channel = 0; channel < channels; channel++) {
        if (error.halts() && fault == encode(channel, error)) {
          return error.hasAddress() || address == 0;
        }
      }
    }
    return false;
  }
}
