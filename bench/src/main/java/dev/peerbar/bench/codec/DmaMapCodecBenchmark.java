package dev.peerbar.bench.codec;

import dev.peerbar.bench.harness.JmhDefaults;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.InvalidMessageException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.TearDown;

/** DMA_MAP of a page. */
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class DmaMapCodecBenchmark extends JmhDefaults {
  private static final int ARGSZ = 0;
  private static final int FLAGS = 4;
  private static final int OFFSET = 8;
  private static final int ADDRESS = 16;
  private static final int SIZE = 24;
  private static final int LENGTH = 32;

  private final ByHand byHand = new ByHand();
  private ByteBuf request;
  private ByteBuf out;
  private int flags = DmaMap.READABLE | DmaMap.WRITEABLE;
  private long offset;
  private long address = 0x1000;
  private long size = 0x1000;

  @Setup
  public void fill() {
    request = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    out = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    new DmaMap.Request(flags, offset, address, size).encode(request);
  }

  @TearDown
  public void release() {
    request.release();
    out.release();
  }

  @Benchmark
  public long decodeRequest() throws InvalidMessageException {
    DmaMap.Request map = DmaMap.Request.decode(request);
    return map.argsz() ^ map.flags() ^ map.offset() ^ map.address() ^ map.size();
  }

  @Benchmark
  public long decodeRequestFloor() {
    return byHand.integer(ARGSZ)
        ^ byHand.integer(FLAGS)
        ^ byHand.wide(OFFSET)
        ^ byHand.wide(ADDRESS)
        ^ byHand.wide(SIZE);
  }

  @Benchmark
  public ByteBuf encodeRequest() {
    new DmaMap.Request(flags, offset, address, size).encode(out.clear());
    return out;
  }

  @Benchmark
  public ByHand encodeRequestFloor() {
    byHand.put(ARGSZ, LENGTH);
    byHand.put(FLAGS, flags);
    byHand.put(OFFSET, offset);
    byHand.put(ADDRESS, address);
    byHand.put(SIZE, size);
    return byHand;
  }
}
