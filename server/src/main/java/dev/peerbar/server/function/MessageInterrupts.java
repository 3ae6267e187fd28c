package dev.peerbar.server.function;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.server.events.InterruptEvent.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The vectors of a function, signalled by MSI-X or MSI, whichever is in force: what holds a message
 * back, and what is pending. For the function's thread, but for {@link #atOnce}.
 */
final class MessageInterrupts {
  private final PciFunction function;
  private final List<Mechanism> mechanisms = new ArrayList<>();
  private final Signals signals;
  private final Runnable drainEngines;
  private boolean held;
  private boolean keptFromEngines;

  // What engines may signal without the function's thread; null while all of it is held back.
  private volatile Mechanism open;

  /** What signals, and tells of it. For any thread. */
  interface Signals {
    /** The client's event descriptor of a message. For the function's thread. */
    Optional<FileDescriptor> descriptor(IrqIndex index, int message);

    /** For the function's thread. */
    Outcome signal(IrqIndex index, int message);

    Outcome signal(IrqIndex index, int message, FileDescriptor descriptor);

    void tell(IrqIndex index, int message, Outcome outcome);
  }

  /** What an engine signals for a vector. */
  private record Target(IrqIndex index, int message, FileDescriptor descriptor) {}

  /** MSI-X or MSI, and what engines may signal of it. */
  private final class Mechanism {
    private final Messages messages;

    /** For each vector of the endpoint's its message; null if that is masked, or not wanted. */
    private final AtomicReferenceArray<Target> vectors;

    private Mechanism(Messages messages) {
      this.messages = messages;
      vectors = new AtomicReferenceArray<>(function.vectors());
    }

    private void refresh() {
      for (int vector = 0; vector < vectors.length(); vector++) {
        refresh(vector);
      }
    }

    private void refresh(int vector) {
      int message = messages.of(vector);
      boolean free = message < messages.count() && !messages.masked(message);
      vectors.set(vector, free ? target(message) : null);
    }

    private Target target(int message) {
      IrqIndex index = messages.index();
      return signals
          .descriptor(index, message)
          .map(descriptor -> new Target(index, message, descriptor))
          .orElse(null);
    }

    private Outcome deliver(int message) {
      if (held) {
        return Outcome.PENDING;
      }
      if (messages.masked(message)) {
        return Outcome.MASKED;
      }
      if (!function.busMasterEnabled()) {
        return Outcome.PENDING;
      }
      if (signals.descriptor(messages.index(), message).isEmpty()) {
        return Outcome.NO_EVENTFD;
      }
      Outcome outcome = signals.signal(messages.index(), message);
      messages.clearPending(message);
      return outcome;
    }

    private void deliverPending(int message) {
      if (!messages.isPending(message)) {
        return;
      }
      Outcome outcome = deliver(message);
      if (outcome == Outcome.DELIVERED || outcome == Outcome.LOST) {
        // Looking at it again and again is no news.
        signals.tell(messages.index(), message, outcome);
      }
    }
  }

  /**
   * @param drainEngines waits for what engines are signalling
   */
  MessageInterrupts(
      PciFunction function, Optional<MsixTable> msix, Signals signals, Runnable drainEngines) {
    this.function = function;
    this.signals = signals;
    this.drainEngines = drainEngines;
    msix.ifPresent(table -> mechanisms.add(new Mechanism(new Messages.Msix(function, table))));
    function.msi().ifPresent(msi -> mechanisms.add(new Mechanism(new Messages.Msi(function, msi))));
  }

  /** The client's descriptors of a mechanism have changed: engines signal the new ones from now. */
  void descriptorsChanged(IrqIndex index) {
    for (Mechanism mechanism : mechanisms) {
      if (mechanism.messages.index() == index) {
        mechanism.refresh();
      }
    }
  }

  /** As {@link #descriptorsChanged(IrqIndex)}, of one message of MSI-X, of which there are many. */
  void descriptorChanged(IrqIndex index, int message) {
    for (Mechanism mechanism : mechanisms) {
      if (mechanism.messages.index() == index) {
        if (index == IrqIndex.MSIX) {
          mechanism.refresh(message);
        } else {
          mechanism.refresh();
        }
      }
    }
  }

  /** Signals a message that is pending, if its mechanism is in force and nothing holds it back. */
  void deliverPending(IrqIndex index, int message) {
    Mechanism inForce = inForce();
    if (inForce != null && inForce.messages.index() == index) {
      inForce.deliverPending(message);
    }
  }

  /** Looks again at all that is pending: something that held it back may have changed. */
  void deliverPending() {
    judge();
    Mechanism inForce = inForce();
    if (inForce != null) {
      for (int message = 0; message < inForce.messages.count(); message++) {
        inForce.deliverPending(message);
      }
    }
  }

  /** Holds back what is raised from now on, or lets it go. */
  void hold(boolean on) {
    held = on;
  }

  /** Leaves all signalling to the function's thread, or lets engines do it again. */
  void keepFromEngines(boolean on) {
    keptFromEngines = on;
    judge();
  }

  /**
   * Has engines signal what config space lets them, from now on, and nothing else: masks included.
   */
  private void judge() {
    Mechanism before = open;
    Mechanism inForce = inForce();
    boolean free = inForce != null && !held && !keptFromEngines && function.busMasterEnabled();
    if (free) {
      inForce.refresh();
    }
    open = free ? inForce : null;
    if (before != null) {
      drainEngines.run();
    }
  }

  private Mechanism inForce() {
    for (Mechanism mechanism : mechanisms) {
      if (mechanism.messages.enabled()) {
        return mechanism;
      }
    }
    return null;
  }

  /** See {@link dev.peerbar.endpoint.Interrupts#raise}. */
  void raise(int vector) {
    Mechanism inForce = inForce();
    if (inForce == null || vector < 0 || vector >= function.vectors()) {
      tellDisabled(vector);
      return;
    }
    int message = inForce.messages.of(vector);
    if (message >= inForce.messages.count()) {
      tellDisabled(vector);
      return;
    }
    inForce.messages.setPending(message);
    signals.tell(inForce.messages.index(), message, inForce.deliver(message));
  }

  private void tellDisabled(int vector) {
    IrqIndex index = mechanisms.isEmpty() ? IrqIndex.MSIX : mechanisms.getFirst().messages.index();
    signals.tell(index, vector, Outcome.DISABLED);
  }

  /**
   * Signals a vector if nothing holds it back. For engines, inside the gate.
   *
   * @return whether there is no more to do; if not, it is the function's thread that must raise it
   */
  boolean atOnce(int vector) {
    Mechanism now = open;
    if (now == null || vector < 0 || vector >= now.vectors.length()) {
      return false;
    }
    Target target = now.vectors.get(vector);
    if (target == null) {
      return false;
    }
    signals.tell(
        target.index,
        target.message,
        signals.signal(target.index, target.message, target.descriptor));
    return true;
  }

  /** A reset: config space has its reset values. */
  void reset() {
    held = false;
    judge();
  }
}
