package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.server.function.EventWatcher;
import dev.peerbar.server.function.InterruptTable;
import dev.peerbar.server.function.IrqIndex;
import java.util.Map;
import java.util.Optional;

/**
 * DEVICE_SET_IRQS, judged as Linux vfio-pci judges VFIO_DEVICE_SET_IRQS
 * (vfio_set_irqs_validate_and_prepare and vfio_pci_set_irqs_ioctl), but for three things. Disabling
 * an index that is not in use succeeds: the specification has no condition. And flags of several
 * actions are EINVAL, since the specification says that they exclude each other. MSI is not bound
 * to the vectors that it began with, as the kernel's is: QEMU sets it up with as many descriptors
 * at a time as a message takes.
 *
 * @param watcher for descriptors that unmask the pin
 */
record InterruptRequests(InterruptTable interrupts, EventWatcher watcher) {

  void register(Map<Command, RequestHandler> handlers) {
    handlers.put(Command.DEVICE_SET_IRQS, this::setIrqs);
  }

  private Frame setIrqs(Frame request) throws InvalidMessageException {
    DeviceSetIrqs.Request set = DeviceSetIrqs.Request.decode(request.payload());
    Descriptors descriptors = request.descriptors();
    IrqIndex index = check(set, descriptors);
    switch (set.flags() & DeviceSetIrqs.ACTIONS) {
      case DeviceSetIrqs.ACTION_MASK -> mask(index, set);
      case DeviceSetIrqs.ACTION_UNMASK -> unmask(index, set, descriptors);
      default -> trigger(index, set, descriptors);
    }
    return Frame.reply(request.header());
  }

  private void trigger(IrqIndex index, DeviceSetIrqs.Request set, Descriptors descriptors)
      throws InvalidMessageException {
    if (set.count() == 0) {
      interrupts.release(index);
      return;
    }
    int data = set.flags() & DeviceSetIrqs.DATA_MASK;
    checkUse(index, data);
    switch (data) {
      case DeviceSetIrqs.DATA_EVENTFD -> assign(index, set, descriptors);
      case DeviceSetIrqs.DATA_BOOL -> triggerSome(index, set);
      default -> triggerAll(index, set);
    }
  }

  /** One of INTx, MSI and MSI-X at a time, and signals only for what is in use. */
  private void checkUse(IrqIndex index, int data) throws InvalidMessageException {
    if (index == IrqIndex.ERROR || index == IrqIndex.REQUEST) {
      // Not with booleans: so vfio_pci_set_ctx_trigger_single.
      if (data == DeviceSetIrqs.DATA_NONE && !interrupts.assigned(index, 0)) {
        throw new InvalidMessageException("%s has no event descriptor".formatted(index));
      }
      return;
    }
    Optional<IrqIndex> used = interrupts.mode();
    if (used.isPresent() && used.get() != index) {
      throw new InvalidMessageException("%s while %s is in use".formatted(index, used.get()));
    }
    if (used.isEmpty() && data != DeviceSetIrqs.DATA_EVENTFD) {
      throw new InvalidMessageException("%s is not in use".formatted(index));
    }
  }

  private void mask(IrqIndex index, DeviceSetIrqs.Request set) throws InvalidMessageException {
    checkPin(index, set);
    switch (set.flags() & DeviceSetIrqs.DATA_MASK) {
      case DeviceSetIrqs.DATA_EVENTFD ->
          throw new InvalidMessageException(Errno.ENOTTY, "an event descriptor to mask by");
      case DeviceSetIrqs.DATA_BOOL -> {
        if (isChosen(set, 0)) {
          interrupts.maskPin();
        }
      }
      default -> interrupts.maskPin();
    }
  }

  private void unmask(IrqIndex index, DeviceSetIrqs.Request set, Descriptors descriptors)
      throws InvalidMessageException {
    checkPin(index, set);
    switch (set.flags() & DeviceSetIrqs.DATA_MASK) {
      case DeviceSetIrqs.DATA_EVENTFD -> unmaskOn(descriptors.take(0));
      case DeviceSetIrqs.DATA_BOOL -> {
        if (isChosen(set, 0)) {
          interrupts.unmaskPin();
        }
      }
      default -> interrupts.unmaskPin();
    }
  }

  private void checkPin(IrqIndex index, DeviceSetIrqs.Request set) throws InvalidMessageException {
    if (index != IrqIndex.INTX) {
      // MSI is masked in config space and MSI-X in its table; errors and requests cannot be masked.
      throw new InvalidMessageException(Errno.ENOTTY, "%s cannot be masked so".formatted(index));
    }
    if (interrupts.mode().filter(index::equals).isEmpty() || set.count() != 1) {
      throw new InvalidMessageException("%s is not in use".formatted(index));
    }
  }

  private void unmaskOn(Optional<FileDescriptor> event) throws InvalidMessageException {
    if (event.isEmpty()) {
      interrupts.unmaskPinOn(Optional.empty());
      return;
    }
    FileDescriptor descriptor = event.get();
    if (interrupts.hasUnmaskEvent()) {
      descriptor.close();
      throw new InvalidMessageException(Errno.EBUSY, "another descriptor unmasks the pin");
    }
    try {
      interrupts.unmaskPinOn(
          Optional.of(watcher.watch(descriptor, () -> unmaskIfSignalled(descriptor))));
    } catch (LinuxException e) {
      throw new InvalidMessageException(e.errno(), e.getMessage());
    }
  }

  private void unmaskIfSignalled(FileDescriptor event) {
    try {
      if (EventDescriptor.read(event) != 0) {
        interrupts.unmaskPin();
      }
    } catch (LinuxException e) {
      throw new IllegalStateException(e);
    }
  }

  private IrqIndex check(DeviceSetIrqs.Request set, Descriptors descriptors)
      throws InvalidMessageException {
    int flags = set.flags();
    int data = flags & DeviceSetIrqs.DATA_MASK;
    if (Integer.compareUnsigned(set.argsz(), set.encodedSize()) < 0) {
      throw new InvalidMessageException("argsz " + Integer.toUnsignedString(set.argsz()));
    }
    if ((flags & ~(DeviceSetIrqs.DATA_MASK | DeviceSetIrqs.ACTIONS)) != 0
        || Integer.bitCount(data) != 1
        || Integer.bitCount(flags & DeviceSetIrqs.ACTIONS) != 1) {
      throw new InvalidMessageException("flags 0x%x".formatted(flags));
    }
    if (set.index() < 0 || set.index() >= PciIrq.COUNT) {
      throw new InvalidMessageException("interrupt index " + Integer.toUnsignedString(set.index()));
    }
    IrqIndex index = IrqIndex.values()[set.index()];
    long start = Integer.toUnsignedLong(set.start());
    long count = Integer.toUnsignedLong(set.count());
    int available = interrupts.count(index);
    if (start >= available || start + count > available) {
      throw new InvalidMessageException(
          "%s %d + %d of %d".formatted(index, start, count, available));
    }
    if (data == DeviceSetIrqs.DATA_EVENTFD) {
      checkEvents(descriptors, count);
    } else if (descriptors.count() > 0) {
      throw new InvalidMessageException("file descriptors without DATA_EVENTFD");
    }
    if (count == 0 && !(data == DeviceSetIrqs.DATA_NONE && start == 0)) {
      throw new InvalidMessageException("no interrupts");
    }
    return index;
  }

  private static void checkEvents(Descriptors descriptors, long count)
      throws InvalidMessageException {
    if (descriptors.count() != 0 && descriptors.count() != count) {
      throw new InvalidMessageException(
          "%d file descriptors for %d interrupts".formatted(descriptors.count(), count));
    }
    for (int i = 0; i < descriptors.count(); i++) {
      FileDescriptor descriptor = descriptors.get(i).orElseThrow();
      try {
        // Signalling anything else might block: a pipe that nobody reads, for one.
        if (!EventDescriptor.isEventDescriptor(descriptor)) {
          throw new InvalidMessageException("a file descriptor that is no eventfd");
        }
      } catch (LinuxException e) {
        throw new InvalidMessageException(e.errno(), e.getMessage());
      }
    }
  }

  private void assign(IrqIndex index, DeviceSetIrqs.Request set, Descriptors descriptors) {
    for (int i = 0; i < set.count(); i++) {
      Optional<FileDescriptor> descriptor = descriptors.take(i);
      interrupts.assign(index, set.start() + i, descriptor);
    }
  }

  private void triggerSome(IrqIndex index, DeviceSetIrqs.Request set) {
    for (int i = 0; i < set.count(); i++) {
      if (isChosen(set, i)) {
        interrupts.trigger(index, set.start() + i);
      }
    }
  }

  private static boolean isChosen(DeviceSetIrqs.Request set, int which) {
    return set.data().getByte(set.data().readerIndex() + which) != 0;
  }

  private void triggerAll(IrqIndex index, DeviceSetIrqs.Request set) {
    for (int i = 0; i < set.count(); i++) {
      interrupts.trigger(index, set.start() + i);
    }
  }
}
