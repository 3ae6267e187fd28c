package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.entry.SubmissionEntry;

/** Parameter Error Location: which part of a command is wrong (NVMe 1.4 figure 194). */
final class Parameter {
  static final int OPCODE = 0;
  static final int FLAGS = 1;
  static final int NAMESPACE_ID = 4;
  static final int PRP1 = SubmissionEntry.DATA_POINTER;
  static final int PRP2 = SubmissionEntry.DATA_POINTER + Long.BYTES;

  private static final int BIT_SHIFT = 8;

  private Parameter() {}

  /** A field of a command dword that begins with a bit. */
  static int of(int dword, int bit) {
    return dword * Integer.BYTES + bit / Byte.SIZE | bit % Byte.SIZE << BIT_SHIFT;
  }
}
