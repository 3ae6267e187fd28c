package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.TimedWorkload;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;

/**
 * A device that masters the bus: it moves bytes between what it has itself and an address. An
 * invocation is one request, from the store into the doorbell to the interrupt at its eventfd in
 * the guest.
 */
interface Initiator {
  /** How long a request may take on a machine that is busy with other things. */
  Duration LIMIT = Duration.ofSeconds(60);

  /**
   * Rings a doorbell and waits for the interrupt, of which no signal may be left; how long both
   * took in the guest.
   *
   * @throws IOException if there was no interrupt within the {@link #LIMIT}
   */
  static Duration time(GuestMemory registers, long doorbell, int value, Interrupt vector)
      throws IOException {
    return registers
        .timeEvent(doorbell, AccessWidth.DWORD, value, (EventFd) vector, LIMIT)
        .orElseThrow(() -> new IOException("no interrupt in %d s".formatted(LIMIT.toSeconds())));
  }

  /** What moves bytes from the start of what the device has to a range. */
  TimedWorkload write(DmaRange to) throws IOException;

  /** What moves bytes from a range to the start of what the device has. */
  TimedWorkload read(DmaRange from) throws IOException;

  /** What reports call it. */
  String name();

  /** What the device has, as the host sees it. */
  MemorySegment own();
}
