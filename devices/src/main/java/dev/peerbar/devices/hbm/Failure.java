package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.DmaFaultException;

/**
 * Why a descriptor failed, or its channel halted.
 *
 * @param address IOVA of the DMA fault; zero if the error is none
 */
record Failure(ErrorCode error, long address) {

  /** The endpoint itself has failed. Made beforehand: there may be no memory for it then. */
  static final Failure BROKEN = new Failure(ErrorCode.ABORTED, 0);

  static Failure of(DmaFaultException fault) {
    return new Failure(ErrorCode.of(fault), fault.iova());
  }
}
