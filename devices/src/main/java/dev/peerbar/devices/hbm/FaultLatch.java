package dev.peerbar.devices.hbm;

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
      fault =
          HbmRegisters.FAULT_LATCHED
              | channel << HbmRegisters.FAULT_CHANNEL_SHIFT
              | error.code() << HbmRegisters.FAULT_ERROR_SHIFT;
      address = iova;
    }
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
}
