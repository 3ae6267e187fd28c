package dev.peerbar.devices.hbm;

/** How a descriptor ended. */
sealed interface Outcome {

  /** Bytes moved, to the last or up to the fault. */
  long moved();

  /**
   * @param result the CRC, or zero
   */
  record Done(long moved, long result) implements Outcome {}

  /**
   * @param address IOVA of the DMA fault; zero if the error is none
   */
  record Failed(ErrorCode error, long address, long moved) implements Outcome {}
}
