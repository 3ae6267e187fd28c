package dev.peerbar.driver.socket;

import dev.peerbar.driver.Interrupt;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import java.time.Duration;

/**
 * A vector whose event descriptor the server signals.
 *
 * @param event owned by the device
 */
record EventInterrupt(FileDescriptor event) implements Interrupt {

  @Override
  public long await(Duration limit) throws LinuxException {
    return EventDescriptor.await(event, limit);
  }

  @Override
  public long drain() throws LinuxException {
    return EventDescriptor.read(event);
  }
}
