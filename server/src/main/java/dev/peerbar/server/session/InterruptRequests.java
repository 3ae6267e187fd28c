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
import dev.peerbar.server.function.InterruptTable;
import dev.peerbar.server.function.IrqIndex;
import io.netty.buffer.ByteBuf;
import java.util.Map;
import java.util.Optional;

/**
 * DEVICE_SET_IRQS, judged as Linux vfio-pci judges VFIO_DEVICE_SET_IRQS
 * (vfio_set_irqs_validate_and_prepare and what follows it).
 */
record InterruptRequests(InterruptTable interrupts) {

  void register(Map<Command, RequestHandler> handlers) {
    handlers.put(Command.DEVICE_SET_IRQS, this::setIrqs);
  }

  private Frame setIrqs(Frame request) throws InvalidMessageException {
    DeviceSetIrqs.Request set = DeviceSetIrqs.Request.decode(request.payload());
    Descriptors descriptors = request.descriptors();
    IrqIndex index = check(set, descriptors);
    int action = set.flags() & DeviceSetIrqs.ACTIONS;
    if (action != DeviceSetIrqs.ACTION_TRIGGER) {
      // MSI-X is masked in its table; errors and requests cannot be masked.
      throw new InvalidMessageException(Errno.ENOTTY, "%s cannot be masked so".formatted(index));
    }
    switch (set.flags() & DeviceSetIrqs.DATA_MASK) {
      case DeviceSetIrqs.DATA_EVENTFD -> assign(index, set, descriptors);
      case DeviceSetIrqs.DATA_BOOL -> triggerSome(index, set);
      default -> releaseOrTriggerAll(index, set);
    }
    return Frame.reply(request.header());
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
    ByteBuf chosen = set.data();
    for (int i = 0; i < set.count(); i++) {
      if (chosen.getByte(chosen.readerIndex() + i) != 0) {
        interrupts.trigger(index, set.start() + i);
      }
    }
  }

  private void releaseOrTriggerAll(IrqIndex index, DeviceSetIrqs.Request set) {
    if (set.count() == 0) {
      interrupts.release(index);
      return;
    }
    for (int i = 0; i < set.count(); i++) {
      interrupts.trigger(index, set.start() + i);
    }
  }
}
