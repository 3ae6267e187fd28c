package dev.peerbar.bench.socket;

import dev.peerbar.bench.fixture.RoundTrip;
import dev.peerbar.devices.hbm.HbmRegisters;

/** An access of the HBM endpoint's memory BAR by one message. */
public enum MemoryAccess {
  READ("read"),
  WRITE("write");

  private final String label;

  MemoryAccess(String label) {
    this.label = label;
  }

  RoundTrip roundTrip(int size) {
    return switch (this) {
      case READ -> RoundTrip.read(HbmRegisters.MEMORY_BAR, 0, size, size);
      case WRITE -> RoundTrip.write(HbmRegisters.MEMORY_BAR, 0, size, size);
    };
  }

  @Override
  public String toString() {
    return label;
  }
}
