package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.TimedWork;
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
  public TimedWork write(DmaRange to) {
    return lap(Descriptor.copy(to.length()).fromLocal(0).to(to.iova()).interrupt());
  }

  @Override
  public TimedWork read(DmaRange from) {
    return lap(Descriptor.copy(from.length()).from(from.iova()).toLocal(0).interrupt());
  }

  /** What moves bytes between two ranges of the same length. */
  TimedWork move(DmaRange from, DmaRange to) {
    return lap(Descriptor.copy(to.length()).from(from.iova()).to(to.iova()).interrupt());
  }

  private TimedWork lap(Descriptor descriptor) {
    return () -> {
      int entry = channel.prepare(descriptor);
      Duration took =
          Initiator.time(registers, channel.doorbell(), channel.tail(), channel.vector());
      Completion completion = channel.completion(entry);
      if (!completion.done() || completion.moved() != descriptor.length()) {
        throw new IOException("%s, %s".formatted(descriptor, completion));
      }
      return new TimedWork.Lap(completion.moved(), took.toNanos());
    };
  }
}
