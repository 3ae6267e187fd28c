package dev.peerbar.bench.codec;

import dev.peerbar.bench.harness.JmhDefaults;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Header;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.TearDown;

/** The header of a request in, and that of its reply out. */
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class HeaderCodecBenchmark extends JmhDefaults {
  private static final int PAYLOAD = 16;
  private static final int ID = 0;
  private static final int COMMAND = 2;
  private static final int SIZE = 4;
  private static final int FLAGS = 8;
  private static final int ERRNO = 12;
  private static final int REPLY = 1;
  private static final int NO_REPLY = 1 << 4;
  private static final int ERROR = 1 << 5;

  private final ByHand byHand = new ByHand();
  private ByteBuf in;
  private ByteBuf out;
  private Header request;

  @Setup
  public void fill() {
    in = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    out = ByteBufAllocator.DEFAULT.directBuffer(ByHand.ROOM);
    request = Header.request(1, Command.REGION_READ, PAYLOAD, false);
    request.encode(in);
  }

  @TearDown
  public void release() {
    in.release();
    out.release();
  }

  @Benchmark
  public int decode() {
    Header header = Header.decode(in);
    return header.id()
        ^ header.command()
        ^ header.size()
        ^ (header.isReply() ? 1 : 0)
        ^ (header.noReply() ? 1 : 0)
        ^ (header.error() ? 1 : 0)
        ^ header.errno();
  }

  @Benchmark
  public int decodeFloor() {
    int flags = byHand.integer(FLAGS);
    return byHand.unsignedShort(ID)
        ^ byHand.unsignedShort(COMMAND)
        ^ byHand.integer(SIZE)
        ^ ((flags & REPLY) != 0 ? 1 : 0)
        ^ ((flags & NO_REPLY) != 0 ? 1 : 0)
        ^ ((flags & ERROR) != 0 ? 1 : 0)
        ^ byHand.integer(ERRNO);
  }

  @Benchmark
  public ByteBuf encodeReply() {
    request.reply(PAYLOAD).encode(out.clear());
    return out;
  }

  @Benchmark
  public ByHand encodeReplyFloor() {
    byHand.put(ID, (short) request.id());
    byHand.put(COMMAND, (short) request.command());
    byHand.put(SIZE, Header.SIZE + PAYLOAD);
    byHand.put(FLAGS, REPLY);
    byHand.put(ERRNO, 0);
    return byHand;
  }
}
