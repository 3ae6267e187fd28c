package dev.peerbar.server.function;

import dev.peerbar.pci.PciFunction;
import java.util.Optional;

/**
 * The interrupt pin as Linux vfio-pci presents one: level-triggered, and masked by each interrupt
 * until the client unmasks it. Mask and unmask descriptor belong to the client, the level to the
 * device. For the function's thread.
 */
final class IntxPin {
  private final PciFunction function;
  private final Runnable signal;
  private boolean asserted;
  private boolean masked;
  private Optional<EventWatcher.Watch> unmaskEvent = Optional.empty();

  /**
   * @param signal signals the client's event descriptor; called only if {@link #deliver} was told
   *     that there is one
   */
  IntxPin(PciFunction function, Runnable signal) {
    this.function = function;
    this.signal = signal;
  }

  void assertLevel(boolean level) {
    asserted = level;
    function.interruptStatus(level);
  }

  boolean asserted() {
    return asserted;
  }

  void mask() {
    masked = true;
  }

  void unmask() {
    masked = false;
  }

  /**
   * Signals and masks, if the pin is asserted and nothing holds it back. Returns whether it did.
   */
  boolean deliver(boolean hasEvent) {
    boolean due = hasEvent && asserted && !masked && function.intxEnabled();
    if (due) {
      masked = true;
      signal.run();
    }
    return due;
  }

  boolean hasUnmaskEvent() {
    return unmaskEvent.isPresent();
  }

  /** Takes the watch over, and ends the one before. */
  void unmaskEvent(Optional<EventWatcher.Watch> watch) {
    unmaskEvent.ifPresent(EventWatcher.Watch::close);
    unmaskEvent = watch;
  }

  /** The client uses the pin no more. */
  void release() {
    unmaskEvent(Optional.empty());
    masked = false;
  }
}
