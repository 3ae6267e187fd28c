package dev.peerbar.server.session;

import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.socket.InPlaceHandler;
import dev.peerbar.server.dma.SlowPieces;
import dev.peerbar.server.events.MessageEvent;
import dev.peerbar.server.fault.Faults;
import dev.peerbar.server.function.Region;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/**
 * Reads and writes as wide as registers are, where they were received: what a guest does more often
 * than all else. {@link RegionRequests} does the same for every length, and says what is wrong with
 * those that are left to it. For the function's thread.
 *
 * @param late takes the reply of a write that revoked something and has not settled yet
 */
record RegisterAccess(
    ServedFunction function, SlowPieces slowPieces, Faults faults, Consumer<Frame> late)
    implements InPlaceHandler {

  RegisterAccess(ServedFunction function, Consumer<Frame> late) {
    this(function, function.bus().gate().slowPieces(), function.faults(), late);
  }

  @Override
  public boolean handle(ByteBuf message, int size, ByteBuf reply) {
    if (MessageEvent.enabled()) {
      // What is recorded is a matter of the pipeline.
      return false;
    }
    if (!Header.isRequest(message) || slowPieces.unsettled() || faults.delaysReplies()) {
      return false;
    }
    int command = Header.command(message);
    if (command == Command.REGION_READ.code()) {
      return read(message, size, reply);
    }
    return command == Command.REGION_WRITE.code() && write(message, size, reply);
  }

  // A header is not decoded: where that is too much for the compiler to see at once, it is an
  // object.

  private boolean read(ByteBuf message, int size, ByteBuf reply) {
    if (size != Header.SIZE + RegionRead.DATA || Header.noReply(message)) {
      return false;
    }
    RegionRead.Request read = RegionRead.Request.at(message, message.readerIndex() + Header.SIZE);
    int count = read.count();
    Region region = region(read.region(), read.offset(), count);
    if (region == null) {
      return false;
    }
    function.ringDoorbells();
    Header.encodeReply(
        reply, Header.id(message), Command.REGION_READ.code(), RegionRead.DATA + count);
    RegionRead.Reply.encodeFixed(reply, read.offset(), read.region(), count);
    int data = reply.writerIndex();
    region.read(read.offset(), reply.internalNioBuffer(data, count).order(ByteOrder.LITTLE_ENDIAN));
    reply.writerIndex(data + count);
    return true;
  }

  private boolean write(ByteBuf message, int size, ByteBuf reply) {
    int payload = message.readerIndex() + Header.SIZE;
    int count = size - Header.SIZE - RegionWrite.DATA;
    if (count <= 0) {
      return false;
    }
    RegionWrite.Reply write = RegionWrite.Reply.at(message, payload);
    Region region = region(write.region(), write.offset(), count);
    if (region == null || write.count() != count) {
      return false;
    }
    boolean replied = !Header.noReply(message);
    if (replied) {
      function.ringDoorbells();
    }
    region.write(
        write.offset(),
        message
            .internalNioBuffer(payload + RegionWrite.DATA, count)
            .order(ByteOrder.LITTLE_ENDIAN));
    if (replied && slowPieces.unsettled()) {
      late.accept(
          Frame.reply(
              Header.decode(message),
              new RegionWrite.Reply(write.offset(), write.region(), count),
              ByteBufAllocator.DEFAULT));
    } else if (replied) {
      Header.encodeReply(reply, Header.id(message), Command.REGION_WRITE.code(), RegionWrite.DATA);
      RegionWrite.Reply.encodeFixed(reply, write.offset(), write.region(), count);
    }
    return true;
  }

  /** The region, if the access is one of a register and lies wholly inside; else null. */
  private Region region(int index, long offset, int count) {
    if (count <= 0 || count > Long.BYTES || index < 0 || index >= PciRegion.COUNT) {
      return null;
    }
    Region region = function.regions().get(index);
    return region.contains(offset, count) ? region : null;
  }
}
