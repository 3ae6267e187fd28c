package dev.peerbar.server.function;

import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The interrupts of a function: the client's event descriptors, and what is pending. For the
 * function's thread.
 *
 * <p>Delivery goes by the event descriptors: the client emulates the MSI-X table itself and takes a
 * descriptor away where it wants no interrupt, so the mask bits of our table say nothing.
 */
public final class InterruptTable implements Interrupts {
  private static final Logger log = LoggerFactory.getLogger(InterruptTable.class);

  private final String name;
  private final PciFunction function;
  private final Optional<MsixTable> msix;
  private final Map<IrqIndex, List<Optional<FileDescriptor>>> triggers =
      new EnumMap<>(IrqIndex.class);

  InterruptTable(String name, PciFunction function, Optional<MsixTable> msix) {
    this.name = name;
    this.function = function;
    this.msix = msix;
    for (IrqIndex index : IrqIndex.values()) {
      List<Optional<FileDescriptor>> slots = new ArrayList<>();
      for (int i = 0; i < count(index); i++) {
        slots.add(Optional.empty());
      }
      triggers.put(index, slots);
    }
  }

  /** Interrupts of an index. */
  public int count(IrqIndex index) {
    return switch (index) {
      case INTX, MSI -> 0;
      case MSIX -> function.msix().map(PciFunction.MsixLayout::vectors).orElse(0);
      case ERROR, REQUEST -> 1;
    };
  }

  /**
   * Gives an interrupt its event descriptor, or takes it away.
   *
   * @param descriptor an event descriptor; owned here from now on
   */
  public void assign(IrqIndex index, int number, Optional<FileDescriptor> descriptor) {
    Optional<FileDescriptor> old = triggers.get(index).set(number, descriptor);
    old.ifPresent(FileDescriptor::close);
    if (index == IrqIndex.MSIX) {
      deliverPending(number);
    }
  }

  /** Takes every event descriptor of an index away. */
  public void release(IrqIndex index) {
    List<Optional<FileDescriptor>> slots = triggers.get(index);
    for (int i = 0; i < slots.size(); i++) {
      assign(index, i, Optional.empty());
    }
  }

  /** Signals an interrupt because the client asks for it, whatever the device's state. */
  public void trigger(IrqIndex index, int number) {
    triggers.get(index).get(number).ifPresent(this::signal);
  }

  @Override
  public void raise(int vector) {
    if (!function.msixEnabled() || vector < 0 || vector >= count(IrqIndex.MSIX)) {
      return;
    }
    msix.orElseThrow().setPending(vector);
    deliverPending(vector);
  }

  /** Looks again at all that is pending: something that held it back may have changed. */
  void deliverPending() {
    for (int vector = 0; vector < count(IrqIndex.MSIX); vector++) {
      deliverPending(vector);
    }
  }

  private void deliverPending(int vector) {
    if (!msix.orElseThrow().isPending(vector)
        || !function.msixEnabled()
        || function.msixMasked()
        || !function.busMasterEnabled()) {
      return;
    }
    triggers
        .get(IrqIndex.MSIX)
        .get(vector)
        .ifPresent(descriptor -> {
          msix.orElseThrow().clearPending(vector);
          signal(descriptor);
        });
  }

  private void signal(FileDescriptor descriptor) {
    try {
      EventDescriptor.signal(descriptor);
    } catch (LinuxException e) {
      log.warn("{}: an interrupt is lost: {}", name, e.getMessage());
    }
  }

  /** A reset of the function: nothing is pending; the client's descriptors stay. */
  void reset() {
    msix.ifPresent(MsixTable::reset);
  }

  /** The client has gone: all its descriptors are closed. */
  void releaseAll() {
    for (IrqIndex index : IrqIndex.values()) {
      release(index);
    }
  }
}
