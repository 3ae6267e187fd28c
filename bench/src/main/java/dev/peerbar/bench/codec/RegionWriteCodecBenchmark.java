package dev.peerbar.bench.codec;

import dev.peerbar.bench.harness.JmhDefaults;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.RegionWrite;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.TearDown;

/** REGION_WRITE of a 4-byte register. */
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RegionWriteCodecBenchmark extends JmhDefaults {
  private static final int OFFSET = 0;
  private static final int REGION = 8;
  private static final int COUNT = 12;
  private static final int DATA = 16;

  private final ByHand byHand = new ByHand();
  private ByteBuf data;
  private ByteBuf request;
  private ByteBuf reply;
  private ByteBuf out;
  private long offset = 0x1c;
  private int region;
  private int count = Integer.BYTES;
  private int value = 42;

  @Setup
  public void fill() {
    data = ByteBufAllocator.DEFAULT.directBuffer(Integer.BYTES).writeIntLE(value);
    request = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    reply = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    out = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    new RegionWrite.Request(offset, region, data).encode(request);
    new RegionWrite.Reply(offset, region, count).encode(reply);
    byHand.put(COUNT, count);
  }

  @TearDown
  public void release() {
    data.release();
    request.release();
    reply.release();
    out.release();
  }

  @Benchmark
  public long decodeRequest() throws InvalidMessageException {
    RegionWrite.Request write = RegionWrite.Request.decode(request);
    ByteBuf written = write.data();
    return write.offset() ^ write.region() ^ written.getIntLE(written.readerIndex());
  }

  @Benchmark
  public long decodeRequestFloor() {
    // The count is judged, not used.
    return byHand.integer(COUNT) == count
        ? byHand.wide(OFFSET) ^ byHand.integer(REGION) ^ byHand.integer(DATA)
        : 0;
  }

  @Benchmark
  public ByteBuf encodeRequest() {
    new RegionWrite.Request(offset, region, data).encode(out.clear());
    return out;
  }

  @Benchmark
  public ByHand encodeRequestFloor() {
    byHand.put(OFFSET, offset);
    byHand.put(REGION, region);
    byHand.put(COUNT, count);
    byHand.put(DATA, value);
    return byHand;
  }

  @Benchmark
  public long decodeReply() throws InvalidMessageException {
    RegionWrite.Reply write = RegionWrite.Reply.decode(reply);
    return write.offset() ^ write.region() ^ write.count();
  }

  @Benchmark
  public long decodeReplyFloor() {
    return byHand.wide(OFFSET) ^ byHand.integer(REGION) ^ byHand.integer(COUNT);
  }

  @Benchmark
  public ByteBuf encodeReply() {
    new RegionWrite.Reply(offset, region, count).encode(out.clear());
    return out;
  }

  @Benchmark
  public ByHand encodeReplyFloor() {
    byHand.put(OFFSET, offset);
    byHand.put(REGION, region);
    byHand.put(COUNT, count);
    return byHand;
  }
}
