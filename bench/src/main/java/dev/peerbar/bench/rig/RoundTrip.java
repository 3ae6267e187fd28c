package dev.peerbar.bench.rig;

import dev.peerbar.bench.harness.Workload;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;

/**
 * A request, encoded once and sent over and over, and the length of its reply: what a bare socket
 * moves is the same.
 *
 * @param request as it is replied to
 * @param posted the same without a reply (No_reply)
 * @param reply length in bytes
 * @param amount what one round trip counts as
 */
public record RoundTrip(MemorySegment request, MemorySegment posted, int reply, long amount) {

  /**
   * Any request.
   *
   * @param reply length of its payload, in bytes
   */
  public static RoundTrip of(Command command, Payload payload, int reply, long amount) {
    return new RoundTrip(
        Messages.request(1, command, false, payload),
        Messages.request(1, command, true, payload),
        Header.SIZE + reply,
        amount);
  }

  /** A read of a region: one access, or as many bytes of memory. */
  public static RoundTrip read(int region, long offset, int size, long amount) {
    return of(
        Command.REGION_READ,
        new RegionRead.Request(offset, region, size),
        RegionRead.DATA + size,
        amount);
  }

  /** A write of zeros to a region. */
  public static RoundTrip write(int region, long offset, int size, long amount) {
    return of(
        Command.REGION_WRITE,
        new RegionWrite.Request(offset, region, Unpooled.wrappedBuffer(new byte[size])),
        RegionWrite.DATA,
        amount);
  }

  /** Starts a thread that takes such requests and sends such replies, and does nothing else. */
  public Floor startFloor() throws LinuxException {
    return Floor.start(Math.toIntExact(request.byteSize()), reply);
  }

  /** The round trip on a connection. */
  public Workload over(Messenger messenger) {
    return () -> {
      messenger.exchange(request, reply);
      return amount;
    };
  }
}
