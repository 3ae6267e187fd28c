package dev.peerbar.bench.codec;

import dev.peerbar.bench.harness.JmhDefaults;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.RegionRead;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.TearDown;

/** REGION_READ of a 4-byte register. */
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RegionReadCodecBenchmark extends JmhDefaults {
  private static final int OFFSET = 0;
  private static final int REGION = 8;
  private static final int COUNT = 12;
  private static final int DATA = 16;

  private final ByHand byHand = new ByHand();
  private ByteBuf request;
  private ByteBuf reply;
  private ByteBuf out;
  private long offset = 0x1c;
  private int region;
  private int count = Integer.BYTES;
  private int value = 42;

  @Setup
  public void fill() {
    request = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    reply = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    out = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    new RegionRead.Request(offset, region, count).encode(request);
    RegionRead.Reply.encodeFixed(reply, offset, region, count);
    reply.writeIntLE(value);
    byHand.put(COUNT, count);
  }

  @TearDown
  public void release() {
    request.release();
    reply.release();
    out.release();
  }

  @Benchmark
  public long decodeRequest() throws InvalidMessageException {
    RegionRead.Request read = RegionRead.Request.decode(request);
    return read.offset() ^ read.region() ^ read.count();
  }

  @Benchmark
  public long decodeRequestFloor() {
    return byHand.wide(OFFSET) ^ byHand.integer(REGION) ^ byHand.integer(COUNT);
  }

  @Benchmark
  public ByteBuf encodeRequest() {
    new RegionRead.Request(offset, region, count).encode(out.clear());
    return out;
  }

  @Benchmark
  public ByHand encodeRequestFloor() {
    byHand.put(OFFSET, offset);
    byHand.put(REGION, region);
    byHand.put(COUNT, count);
    return byHand;
  }

  @Benchmark
  public long decodeReply() throws InvalidMessageException {
    RegionRead.Reply read = RegionRead.Reply.decode(reply);
    ByteBuf data = read.data();
    return read.offset() ^ read.region() ^ data.getIntLE(data.readerIndex());
  }

  @Benchmark
  public long decodeReplyFloor() {
    // The count is judged, not used.
    return byHand.integer(COUNT) == count
        ? byHand.wide(OFFSET) ^ byHand.integer(REGION) ^ byHand.integer(DATA)
        : 0;
  }

  @Benchmark
  public ByteBuf encodeReply() {
    RegionRead.Reply.encodeFixed(out.clear(), offset, region, count);
    return out.writeIntLE(value);
  }

  @Benchmark
  public ByHand encodeReplyFloor() {
    byHand.put(OFFSET, offset);
    byHand.put(REGION, region);
    byHand.put(COUNT, count);
    byHand.put(DATA, value);
    return byHand;
  }
}
