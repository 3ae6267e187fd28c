package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.TimedWork;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.Opcode;
import dev.peerbar.lab.hbm.HbmChannel;
import dev.peerbar.lab.hbm.HbmDevice;
import dev.peerbar.lab.nvme.DmaRange;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;

/**
 * An HBM endpoint, one descriptor at a time. What it has is the memory behind its BAR.
 *
 * @param channel enabled, and used for nothing else meanwhile
 */
record EndpointInitiator(HbmChannel channel, MemorySegment own) implements Initiator {

  @Override
  public String name() {
    return "endpoint";
  }

  @Override
  public TimedWork write(DmaRange to) {
    return lap(copy(Descriptor.SOURCE_IS_LOCAL, 0, to.address(), to.length()));
  }

  @Override
  public TimedWork read(DmaRange from) {
    return lap(copy(Descriptor.DESTINATION_IS_LOCAL, from.address(), 0, from.length()));
  }

  /** What moves bytes between two ranges of the same length. */
  TimedWork move(DmaRange from, DmaRange to) {
    return lap(HbmDevice.copy(from.address(), to.address(), to.length()));
  }

  private static Descriptor copy(int flags, long from, long to, long length) {
    return new Descriptor(
        Opcode.COPY.code(), Descriptor.INTERRUPT | flags, from, to, length, 0, 0, 0, 0);
  }

  private TimedWork lap(Descriptor descriptor) {
    return () -> {
      int entry = channel.prepare(descriptor);
      Duration took = Initiator.inTime(channel.timeRing(LIMIT));
      HbmChannel.Completion completion = channel.completion(entry);
      if (!completion.done() || completion.moved() != descriptor.length()) {
        throw new IOException("%s, %s".formatted(descriptor, completion));
      }
      return new TimedWork.Lap(completion.moved(), took.toNanos());
    };
  }
}
