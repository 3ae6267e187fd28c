package dev.peerbar.server.session;

import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import dev.peerbar.server.function.Region;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/** Reads and writes of regions. */
record RegionRequests(ServedFunction function) {

  void register(Map<Command, RequestHandler> handlers) {
    handlers.put(Command.REGION_READ, this::read);
    handlers.put(Command.REGION_WRITE, this::write);
    handlers.put(Command.REGION_WRITE_MULTI, this::writeMulti);
  }

  private Frame read(Frame request) throws InvalidMessageException {
    RegionRead.Request read = RegionRead.Request.decode(request.payload());
    int count = read.count();
    Region region = check(read.region(), read.offset(), Integer.toUnsignedLong(count));
    int length = RegionRead.DATA + count;
    return Frame.reply(
        request.header(),
        length,
        ByteBufAllocator.DEFAULT,
        payload -> {
          RegionRead.Reply.encodeFixed(payload, read.offset(), read.region(), count);
          region.read(read.offset(), littleEndian(payload.nioBuffer(RegionRead.DATA, count)));
          payload.writerIndex(length);
        });
  }

  private Frame write(Frame request) throws InvalidMessageException {
    RegionWrite.Request write = RegionWrite.Request.decode(request.payload());
    Region region = check(write.region(), write.offset(), write.data().readableBytes());
    region.write(write.offset(), littleEndian(write.data().nioBuffer()));
    return Frame.reply(request.header(), write.reply(), ByteBufAllocator.DEFAULT);
  }

  private Frame writeMulti(Frame request) throws InvalidMessageException {
    RegionWriteMulti.Request multi = RegionWriteMulti.Request.decode(request.payload());
    for (RegionWriteMulti.Write write : multi.writes()) {
      check(write.region(), write.offset(), write.count());
    }
    for (RegionWriteMulti.Write write : multi.writes()) {
      ByteBuffer data = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      data.putLong(0, write.data()).limit(write.count());
      function.regions().get(write.region()).write(write.offset(), data);
    }
    return Frame.reply(
        request.header(),
        new RegionWriteMulti.Reply(multi.writes().size()),
        ByteBufAllocator.DEFAULT);
  }

  /** The region, if the access lies wholly inside it. */
  private Region check(int index, long offset, long count) throws InvalidMessageException {
    if (index < 0 || index >= PciRegion.COUNT) {
      throw new InvalidMessageException("region " + Integer.toUnsignedString(index));
    }
    if (count > Negotiation.MAX_DATA_TRANSFER) {
      throw new InvalidMessageException(count + " bytes in one message");
    }
    Region region = function.regions().get(index);
    if (!region.contains(offset, count)) {
      throw new InvalidMessageException(
          "0x%x + 0x%x in region %d of 0x%x".formatted(offset, count, index, region.size()));
    }
    return region;
  }

  private static ByteBuffer littleEndian(ByteBuffer buffer) {
    return buffer.order(ByteOrder.LITTLE_ENDIAN);
  }
}
