package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.TimedWorkload;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.lab.guest.GuestMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;

/**
 * An HBM endpoint, one descriptor at a time. What it has is the memory behind its BAR.
 *
 * @param channel enabled, and used for nothing else meanwhile
 * @param registers of the same endpoint
 */
record EndpointInitiator(HbmChannel channel, GuestMemory registers, MemorySegment own)
    implements Initiator {

  @Override
  public String name() {
    return "endpoint";
  }

  @Override
  public TimedWorkload write(DmaRange to) {
    return invocation(Descriptor.copy(to.length()).fromLocal(0).to(to.iova()).interrupt());
  }

  @Override
  public TimedWorkload read(DmaRange from) {
    return invocation(Descriptor.copy(from.length()).from(from.iova()).toLocal(0).interrupt());
  }

  /** What moves bytes between two ranges of the same length. */
  TimedWorkload move(DmaRange from, DmaRange to) {
    return invocation(Descriptor.copy(to.length()).from(from.iova()).to(to.iova()).interrupt());
  }

  private TimedWorkload invocation(Descriptor descriptor) {
    return () -> {
      int entry = channel.prepare(descriptor);
      Duration took =
          Initiator.time(registers, channel.doorbell(), channel.tail(), channel.vector());
      Completion completion = channel.completion(entry);
      if (!completion.done() || completion.moved() != descriptor.length()) {
        throw new IOException("%s, %s".formatted(descriptor, completion));
      }
      return new TimedWorkload.Invocation(completion.moved(), took.toNanos());
    };
  }
}
