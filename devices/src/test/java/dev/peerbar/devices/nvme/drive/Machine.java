package dev.peerbar.devices.nvme.drive;

import dev.peerbar.pci.ResetKind;
import java.lang.foreign.MemorySegment;

/** What a driver runs on: registers of the endpoint, memory it can reach, time that passes. */
public interface Machine {

  /** BAR 0, 4 bytes. */
  int read4(long offset);

  /** BAR 0, 4 bytes. */
  void write4(long offset, int value);

  /** BAR 0, 8 bytes. */
  void write8(long offset, long value);

  /** Memory the endpoint can reach at an IOVA. */
  MemorySegment map(long iova, long bytes);

  /** The CMB. */
  MemorySegment controllerMemory();

  /** Lets the endpoint do something; returns at once or soon. */
  void pass();

  void reset(ResetKind kind);
}
