package dev.peerbar.bench.rig;

import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.Version;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Requests, encoded once and sent over and over. */
public final class Messages {
  private Messages() {}

  /** A request in native memory. */
  public static MemorySegment request(int id, Command command, boolean noReply, Payload payload) {
    Frame frame =
        Frame.request(
            id, command, noReply, payload, Descriptors.none(), UnpooledByteBufAllocator.DEFAULT);
    ByteBuf all = UnpooledByteBufAllocator.DEFAULT.directBuffer(frame.header().size());
    try {
      frame.header().encode(all);
      all.writeBytes(frame.payload());
      MemorySegment bytes = Arena.ofAuto().allocate(all.readableBytes(), Long.BYTES);
      bytes.copyFrom(MemorySegment.ofBuffer(all.nioBuffer()));
      return bytes;
    } finally {
      all.release();
      frame.release();
    }
  }

  /** The proposal that begins a connection. */
  static MemorySegment version() {
    return request(
        0,
        Command.VERSION,
        false,
        new Version.Request(Version.MAJOR, Version.MINOR, Capabilities.DEFAULTS));
  }
}
