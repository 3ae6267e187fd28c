package dev.peerbar.server.function;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.EventSet;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.pci.Bar;
import java.util.ArrayList;
import java.util.List;

/**
 * Event descriptors that a client's kernel signals in place of writes to a register BAR, made for
 * one client. For the function's thread.
 *
 * <p>The kernel's queue of an {@link EventSet} gives the order in which doorbells were rung. Events
 * are handled before each request that the client waits for, since it rang before it asked, and
 * forgotten at a reset. Between an event and a write that the client posted at the same time there
 * is no order: the message may still have been on its way in the client.
 */
final class IoEventFds implements AutoCloseable {
  private final Endpoint endpoint;
  private final int bar;
  private final List<Bar.IoEventFd> doorbells;
  private final List<FileDescriptor> events = new ArrayList<>();
  private final EventSet set = new EventSet();
  private EventWatcher.Watch watch;

  /**
   * @param most how many descriptors the client takes
   * @throws LinuxException EMFILE, ENFILE, ENOSPC; nothing is left open then
   */
  IoEventFds(Endpoint endpoint, Bar.Registers bar, int most, EventWatcher watcher)
      throws LinuxException {
    this.endpoint = endpoint;
    this.bar = bar.index();
    this.doorbells = bar.events().subList(0, Math.min(most, bar.events().size()));
    try {
      for (int i = 0; i < doorbells.size(); i++) {
        events.add(EventDescriptor.create());
        set.add(events.get(i));
      }
      watch = watcher.watch(set.descriptor().duplicate(), this::ring);
    } catch (LinuxException | RuntimeException e) {
      close();
      throw e;
    }
  }

  List<Bar.IoEventFd> doorbells() {
    return doorbells;
  }

  /** One for each of {@link #doorbells}; they stay this object's. */
  List<FileDescriptor> events() {
    return events;
  }

  /** Writes what was rung since the last time, each once however often it was. */
  void ring() {
    take(true);
  }

  /** Forgets what was rung since the last time. */
  void discard() {
    take(false);
  }

  private void take(boolean ring) {
    try {
      set.take(index -> {
        if (ring) {
          Bar.IoEventFd doorbell = doorbells.get(index);
          endpoint.write(bar, doorbell.offset(), doorbell.width(), doorbell.value());
        }
      });
    } catch (LinuxException e) {
      // All that is in the set is open, and its own.
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    if (watch != null) {
      watch.close();
    }
    set.close();
    events.forEach(FileDescriptor::close);
  }
}
