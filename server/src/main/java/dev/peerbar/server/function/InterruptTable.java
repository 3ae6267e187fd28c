package dev.peerbar.server.function;

import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.linux.EventSignaller;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.server.events.InterruptEvent;
import dev.peerbar.server.events.InterruptEvent.Outcome;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The interrupts of a function: the client's event descriptors, and what is pending. For the
 * function's thread, but for {@link #signalAtOnce}.
 *
 * <p>As in Linux vfio-pci a client uses one of INTx and MSI-X at a time. It begins with the first
 * event descriptor, or word of one, and ends with {@link #release}.
 *
 * <p>Delivery goes by the event descriptors: the client emulates the MSI-X table itself and takes a
 * descriptor away where it wants no interrupt, so the mask bits of our table say nothing.
 */
public final class InterruptTable implements Interrupts, AutoCloseable {
  private final String name;
  private final FunctionLog log;
  private final PciFunction function;
  private final Optional<MsixTable> msix;
  private final Map<IrqIndex, List<Optional<FileDescriptor>>> triggers =
      new EnumMap<>(IrqIndex.class);
  private boolean held;
  // What engines may signal without the function's thread: event descriptors of vectors, and
  // whether nothing holds vectors back.
  private final AtomicReferenceArray<FileDescriptor> vectors;
  private volatile boolean open;
  private final Runnable drainEngines;
  private final EventSignaller signaller = new EventSignaller();
  private final IntxPin pin;
  private Optional<IrqIndex> mode = Optional.empty();

  /**
   * @param drainEngines waits for what engines are signalling
   */
  InterruptTable(
      String name,
      FunctionLog log,
      PciFunction function,
      Optional<MsixTable> msix,
      Runnable drainEngines) {
    this.drainEngines = drainEngines;
    this.name = name;
    this.log = log;
    this.function = function;
    this.msix = msix;
    for (IrqIndex index : IrqIndex.values()) {
      List<Optional<FileDescriptor>> slots = new ArrayList<>();
      for (int i = 0; i < count(index); i++) {
        slots.add(Optional.empty());
      }
      triggers.put(index, slots);
    }
    this.vectors = new AtomicReferenceArray<>(count(IrqIndex.MSIX));
    this.pin = new IntxPin(function, () -> trigger(IrqIndex.INTX, 0));
    if (!signaller.neverWaits()) {
      log.warn("no asynchronous I/O here: a hostile client can stall its endpoint");
    }
  }

  /** Interrupts of an index. */
  public int count(IrqIndex index) {
    return switch (index) {
      case INTX -> function.interruptPin() == 0 ? 0 : 1;
      case MSI -> 0;
      case MSIX -> function.msix().map(PciFunction.MsixLayout::vectors).orElse(0);
      case ERROR, REQUEST -> 1;
    };
  }

  /** Which of INTx and MSI-X the client uses. */
  public Optional<IrqIndex> mode() {
    return mode;
  }

  /** Whether an interrupt has an event descriptor. */
  public boolean assigned(IrqIndex index, int number) {
    return triggers.get(index).get(number).isPresent();
  }

  /**
   * Gives an interrupt its event descriptor, or takes it away. The client uses the index from now
   * on.
   *
   * @param descriptor an event descriptor; owned here from now on
   */
  public void assign(IrqIndex index, int number, Optional<FileDescriptor> descriptor) {
    if (index == IrqIndex.INTX || index == IrqIndex.MSIX) {
      mode = Optional.of(index);
    }
    Optional<FileDescriptor> old = triggers.get(index).set(number, descriptor);
    if (index == IrqIndex.MSIX) {
      vectors.set(number, descriptor.orElse(null));
    }
    if (old.isPresent()) {
      drainEngines.run();
      old.get().close();
    }
    if (index == IrqIndex.MSIX) {
      deliverPending(number);
    } else if (index == IrqIndex.INTX) {
      deliverPin();
    }
  }

  /** Takes every event descriptor of an index away; the client uses it no more. */
  public void release(IrqIndex index) {
    List<Optional<FileDescriptor>> slots = triggers.get(index);
    if (index == IrqIndex.MSIX) {
      for (int i = 0; i < vectors.length(); i++) {
        vectors.set(i, null);
      }
      drainEngines.run();
    }
    for (int i = 0; i < slots.size(); i++) {
      slots.set(i, Optional.empty()).ifPresent(FileDescriptor::close);
    }
    if (mode.filter(index::equals).isPresent()) {
      mode = Optional.empty();
    }
    if (index == IrqIndex.INTX) {
      pin.release();
    }
  }

  /** Masks the pin, as each of its interrupts does. */
  public void maskPin() {
    pin.mask();
  }

  /** Unmasks the pin; if it is still asserted, that is another interrupt. */
  public void unmaskPin() {
    pin.unmask();
    deliverPin();
  }

  /** Whether {@link #unmaskPinOn} gave a descriptor. */
  public boolean hasUnmaskEvent() {
    return pin.hasUnmaskEvent();
  }

  /**
   * The watch of an event descriptor that unmasks the pin when the client signals it, or none.
   *
   * @param watch owned here from now on
   */
  public void unmaskPinOn(Optional<EventWatcher.Watch> watch) {
    pin.unmaskEvent(watch);
  }

  /** Signals an interrupt, if it has an event descriptor; not a pin that is disabled. */
  public void trigger(IrqIndex index, int number) {
    Outcome outcome =
        index == IrqIndex.INTX && !function.intxEnabled()
            ? Outcome.DISABLED
            : signal(index, number);
    InterruptEvent.tell(name, index, number, outcome);
  }

  @Override
  public void raise(int vector) {
    if (!function.msixEnabled() || vector < 0 || vector >= count(IrqIndex.MSIX)) {
      InterruptEvent.tell(name, IrqIndex.MSIX, vector, Outcome.DISABLED);
      return;
    }
    msix.orElseThrow().setPending(vector);
    InterruptEvent.tell(name, IrqIndex.MSIX, vector, deliver(vector));
  }

  /**
   * Signals a vector if nothing holds it back. For engines, inside the gate.
   *
   * @return whether there is no more to do; if not, it is the function's thread that must raise it
   */
  boolean signalAtOnce(int vector) {
    if (!open || vector < 0 || vector >= vectors.length()) {
      return false;
    }
    FileDescriptor descriptor = vectors.get(vector);
    if (descriptor == null) {
      return false;
    }
    InterruptEvent.tell(name, IrqIndex.MSIX, vector, signal(IrqIndex.MSIX, vector, descriptor));
    return true;
  }

  @Override
  public void pin(boolean asserted) {
    if (count(IrqIndex.INTX) > 0) {
      boolean rises = asserted && !pin.asserted();
      pin.assertLevel(asserted);
      if (!deliverPin() && rises) {
        InterruptEvent.tell(name, IrqIndex.INTX, 0, heldBack());
      }
    }
  }

  private Outcome heldBack() {
    if (!assigned(IrqIndex.INTX, 0)) {
      return Outcome.NO_EVENTFD;
    }
    return function.intxEnabled() ? Outcome.MASKED : Outcome.DISABLED;
  }

  private boolean deliverPin() {
    return pin.deliver(!held && count(IrqIndex.INTX) > 0 && assigned(IrqIndex.INTX, 0));
  }

  /** Looks again at all that is pending: something that held it back may have changed. */
  void deliverPending() {
    judgeVectors();
    deliverPin();
    for (int vector = 0; vector < count(IrqIndex.MSIX); vector++) {
      deliverPending(vector);
    }
  }

  /** Holds back what is raised from now on, or lets it go. A reset lets go too. */
  void hold(boolean on) {
    held = on;
    deliverPending();
  }

  private void judgeVectors() {
    boolean before = open;
    open = !held && function.msixEnabled() && !function.msixMasked() && function.busMasterEnabled();
    if (before && !open) {
      drainEngines.run();
    }
  }

  private void deliverPending(int vector) {
    if (!msix.orElseThrow().isPending(vector)) {
      return;
    }
    Outcome outcome = deliver(vector);
    if (outcome == Outcome.DELIVERED || outcome == Outcome.LOST) {
      // Looking at it again and again is no news.
      InterruptEvent.tell(name, IrqIndex.MSIX, vector, outcome);
    }
  }

  private Outcome deliver(int vector) {
    if (held) {
      return Outcome.PENDING;
    }
    if (!function.msixEnabled()) {
      return Outcome.DISABLED;
    }
    if (function.msixMasked()) {
      return Outcome.MASKED;
    }
    if (!function.busMasterEnabled()) {
      return Outcome.PENDING;
    }
    Outcome outcome = signal(IrqIndex.MSIX, vector);
    if (outcome != Outcome.NO_EVENTFD) {
      msix.orElseThrow().clearPending(vector);
    }
    return outcome;
  }

  private Outcome signal(IrqIndex index, int number) {
    Optional<FileDescriptor> descriptor = triggers.get(index).get(number);
    if (descriptor.isEmpty()) {
      return Outcome.NO_EVENTFD;
    }
    return signal(index, number, descriptor.get());
  }

  private Outcome signal(IrqIndex index, int number, FileDescriptor descriptor) {
    try {
      signaller.signal(descriptor);
      return Outcome.DELIVERED;
    } catch (LinuxException e) {
      log.refused(index + " " + number + " lost", e.errno().name(), e.getMessage());
      return Outcome.LOST;
    }
  }

  /**
   * A reset of the function: nothing is pending, the pin is not asserted; the client's descriptors
   * stay, and so does its mask.
   */
  void reset() {
    held = false;
    judgeVectors();
    msix.ifPresent(MsixTable::reset);
    pin(false);
  }

  /** The client has gone: all its descriptors are closed. */
  void releaseAll() {
    for (IrqIndex index : IrqIndex.values()) {
      release(index);
    }
  }

  /** Nothing can be signalled any more. */
  @Override
  public void close() {
    releaseAll();
    signaller.close();
  }
}
