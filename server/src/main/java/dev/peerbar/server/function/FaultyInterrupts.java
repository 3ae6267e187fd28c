package dev.peerbar.server.function;

import dev.peerbar.server.events.InterruptEvent.Outcome;
import dev.peerbar.server.fault.Fault;
import dev.peerbar.server.fault.Faults;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Interrupts that come late, twice, or not at all. For the function's thread. */
final class FaultyInterrupts implements InterruptTable.Detour {
  private final Faults faults;
  private final InterruptTable interrupts;
  private final ScheduledExecutorService functionThread;

  /** Those on their way: one of each at most. */
  private final Map<Interrupt, Future<?>> onTheirWay = new HashMap<>();

  private record Interrupt(IrqIndex index, int number) {}

  FaultyInterrupts(
      Faults faults, InterruptTable interrupts, ScheduledExecutorService functionThread) {
    this.faults = faults;
    this.interrupts = interrupts;
    this.functionThread = functionThread;
  }

  /** Other faults are in force. Those that are on their way still come. */
  void faultsChanged() {
    boolean faulty =
        faults.find(Fault.InterruptsLost.class) != null
            || faults.find(Fault.InterruptsLate.class) != null
            || faults.find(Fault.InterruptsDoubled.class) != null;
    interrupts.takeDetour(faulty ? this : null);
  }

  @Override
  public Outcome signal(IrqIndex index, int number) {
    if (faults.strike(Fault.InterruptsLost.class) != null) {
      return Outcome.LOST;
    }
    Fault.InterruptsLate late = faults.strike(Fault.InterruptsLate.class);
    if (late != null) {
      signalLater(new Interrupt(index, number), late.by());
      return Outcome.PENDING;
    }
    Fault.InterruptsDoubled doubled = faults.strike(Fault.InterruptsDoubled.class);
    if (doubled != null) {
      signalLater(new Interrupt(index, number), doubled.apart());
    }
    return interrupts.signal(index, number);
  }

  private void signalLater(Interrupt interrupt, Duration delay) {
    onTheirWay.computeIfAbsent(
        interrupt,
        one -> functionThread.schedule(() -> arrive(one), delay.toNanos(), TimeUnit.NANOSECONDS));
  }

  private void arrive(Interrupt interrupt) {
    // Whether or not the executor takes back what is due already.
    if (onTheirWay.remove(interrupt) != null) {
      interrupts.signal(interrupt.index, interrupt.number);
    }
  }

  /** The function is reset, or its client has gone: what is on its way does not come any more. */
  void forget() {
    onTheirWay.values().forEach(one -> one.cancel(false));
    onTheirWay.clear();
  }
}
