package dev.peerbar.server.function;

import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.linux.EventSignaller;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.pci.MsiCapability;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.server.events.InterruptEvent;
import dev.peerbar.server.events.InterruptEvent.Outcome;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The interrupts of a function: the client's event descriptors, and what is pending. For the
 * function's thread, but for {@link #signalAtOnce}.
 *
 * <p>As in Linux vfio-pci a client uses one of INTx, MSI and MSI-X at a time. It begins with the
 * first event descriptor, or word of one, and ends with {@link #release}. Which of them the
 * function signals, config space says; a client changes both, one after the other.
 */
public final class InterruptTable implements Interrupts, AutoCloseable {
  private final String name;
  private final FunctionLog log;
  private final PciFunction function;
  private final Optional<MsixTable> msix;
  private final MessageInterrupts messages;
  private final Map<IrqIndex, List<Optional<FileDescriptor>>> triggers =
      new EnumMap<>(IrqIndex.class);
  private boolean held;
  private final Runnable drainEngines;
  private final EventSignaller signaller = new EventSignaller();
  private final IntxPin pin;
  private Optional<IrqIndex> mode = Optional.empty();

  /** Null as long as interrupts come as they should. */
  private Detour detour;

  /** What signals in place of this table. */
  interface Detour {
    Outcome signal(IrqIndex index, int number);
  }

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
    this.messages = new MessageInterrupts(function, msix, new Signals(), drainEngines);
    this.pin = new IntxPin(function, () -> trigger(IrqIndex.INTX, 0));
    if (!signaller.neverWaits()) {
      log.warn("no asynchronous I/O here: a hostile client can stall its endpoint");
    }
  }

  /** Interrupts of an index. */
  public int count(IrqIndex index) {
    return switch (index) {
      case INTX -> function.interruptPin() == 0 ? 0 : 1;
      case MSI -> function.msi().map(MsiCapability::vectors).orElse(0);
      case MSIX -> function.msix().map(PciFunction.MsixLayout::vectors).orElse(0);
      case ERROR, REQUEST -> 1;
    };
  }

  /** Which of INTx, MSI and MSI-X the client uses. */
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
    if (isMechanism(index)) {
      mode = Optional.of(index);
    }
    Optional<FileDescriptor> old = triggers.get(index).set(number, descriptor);
    messages.descriptorChanged(index, number);
    if (old.isPresent()) {
      drainEngines.run();
      old.get().close();
    }
    if (index == IrqIndex.INTX) {
      deliverPin();
    } else if (isMechanism(index)) {
      messages.deliverPending(index, number);
    }
  }

  /** Whether it is one of those of which a client uses one at a time. */
  private static boolean isMechanism(IrqIndex index) {
    return switch (index) {
      case INTX, MSI, MSIX -> true;
      case ERROR, REQUEST -> false;
    };
  }

  /** Takes every event descriptor of an index away; the client uses it no more. */
  public void release(IrqIndex index) {
    List<Optional<FileDescriptor>> slots = triggers.get(index);
    List<Optional<FileDescriptor>> old = List.copyOf(slots);
    slots.replaceAll(_ -> Optional.empty());
    messages.descriptorsChanged(index);
    drainEngines.run();
    old.forEach(descriptor -> descriptor.ifPresent(FileDescriptor::close));
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
            : onItsWay(index, number);
    InterruptEvent.tell(name, index, number, outcome);
  }

  @Override
  public void raise(int vector) {
    messages.raise(vector);
  }

  /** As {@link MessageInterrupts#atOnce}. */
  boolean signalAtOnce(int vector) {
    return messages.atOnce(vector);
  }

  @Override
  public boolean error() {
    return tellClient(IrqIndex.ERROR);
  }

  @Override
  public boolean requestRelease() {
    return tellClient(IrqIndex.REQUEST);
  }

  private boolean tellClient(IrqIndex index) {
    trigger(index, 0);
    return assigned(index, 0);
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
    messages.deliverPending();
    deliverPin();
  }

  /** Holds back what is raised from now on, or lets it go. A reset lets go too. */
  void hold(boolean on) {
    held = on;
    messages.hold(on);
    deliverPending();
  }

  /** What {@link MessageInterrupts} signals by. */
  private final class Signals implements MessageInterrupts.Signals {
    @Override
    public Optional<FileDescriptor> descriptor(IrqIndex index, int message) {
      return triggers.get(index).get(message);
    }

    @Override
    public Outcome signal(IrqIndex index, int message) {
      return onItsWay(index, message);
    }

    @Override
    public Outcome signal(IrqIndex index, int message, FileDescriptor descriptor) {
      return InterruptTable.this.signal(index, message, descriptor);
    }

    @Override
    public void tell(IrqIndex index, int message, Outcome outcome) {
      InterruptEvent.tell(name, index, message, outcome);
    }
  }

  private Outcome onItsWay(IrqIndex index, int number) {
    return detour == null || !isMechanism(index)
        ? signal(index, number)
        : detour.signal(index, number);
  }

  /** Has INTx, MSI and MSI-X signalled another way from now on; null for the straight one. */
  void takeDetour(Detour other) {
    detour = other;
    messages.keepFromEngines(other != null);
  }

  /** Signals an interrupt, without a look at what might hold it back. */
  Outcome signal(IrqIndex index, int number) {
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
    messages.reset();
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
