package dev.peerbar.bench.socket;

import dev.peerbar.bench.fixture.RoundTrip;
import dev.peerbar.devices.hbm.HbmRegisters;

/** An access of a register of the HBM endpoint. */
public enum RegisterAccess {
  READ_4("4-byte register read"),
  READ_8("8-byte register read"),
  WRITE_4("4-byte register write"),
  WRITE_8("8-byte register write");

  private final String label;

  RegisterAccess(String label) {
    this.label = label;
  }

  /** The access, as one of what the rate counts. */
  public RoundTrip roundTrip() {
    long ringBase = HbmRegisters.channel(0) + HbmRegisters.RING_BASE;
    return switch (this) {
      case READ_4 -> RoundTrip.read(HbmRegisters.BAR, HbmRegisters.SCRATCH, Integer.BYTES, 1);
      case READ_8 -> RoundTrip.read(HbmRegisters.BAR, ringBase, Long.BYTES, 1);
      case WRITE_4 -> RoundTrip.write(HbmRegisters.BAR, HbmRegisters.SCRATCH, Integer.BYTES, 1);
      case WRITE_8 -> RoundTrip.write(HbmRegisters.BAR, ringBase, Long.BYTES, 1);
    };
  }

  @Override
  public String toString() {
    return label;
  }
}
