package dev.peerbar.server.fuzz;

import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.DmaLogging;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.MigDataRead;
import dev.peerbar.protocol.MigDataWrite;
import dev.peerbar.protocol.MigrationFeature;
import dev.peerbar.protocol.MigrationState;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.socket.FrameAssembler;
import dev.peerbar.protocol.socket.FramingException;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;

/**
 * What the fuzzer does with an input for the codec: its first byte is how long the pieces are that
 * the rest, a stream of messages, is cut into. Whatever comes out as a frame is decoded as
 * everything that a payload can be.
 *
 * <p>Decoding says no with {@link InvalidMessageException} or {@link FramingException} and nothing
 * else, allocates no more than the bytes that are there justify, and what decodes encodes to
 * something that decodes to the same.
 */
public final class CodecFuzzer {
  private static final com.sun.management.ThreadMXBean ALLOCATIONS =
      (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** What decoding may allocate whatever it decodes, and for each byte, generously. */
  private static final long FIXED_ALLOCATION = 1 << 20;

  private static final long ALLOCATION_PER_BYTE = 1000;

  private static final long FIXED_BUFFERS = 16 << 10;
  private static final long BUFFERS_PER_BYTE = 20;

  private interface Decoder {
    Payload decode(ByteBuf in) throws InvalidMessageException;
  }

  private static final List<Decoder> DECODERS =
      List.of(
          Version.Request::decode,
          Version.Reply::decode,
          DmaMap.Request::decode,
          DmaUnmap.Request::decode,
          DmaUnmap.Reply::decode,
          DeviceGetInfo.Request::decode,
          DeviceGetInfo.Reply::decode,
          DeviceGetRegionInfo.Request::decode,
          DeviceGetRegionInfo.Reply::decode,
          DeviceGetRegionIoFds.Request::decode,
          DeviceGetRegionIoFds.Reply::decode,
          DeviceGetIrqInfo.Request::decode,
          DeviceGetIrqInfo.Reply::decode,
          DeviceSetIrqs.Request::decode,
          DeviceReset.Request::decode,
          RegionRead.Request::decode,
          RegionRead.Reply::decode,
          RegionWrite.Request::decode,
          RegionWrite.Reply::decode,
          RegionWriteMulti.Request::decode,
          RegionWriteMulti.Reply::decode,
          DmaRead.Request::decode,
          DmaRead.Reply::decode,
          DmaWrite.Request::decode,
          DmaWrite.Reply::decode,
          DeviceFeature.Request::decode,
          DeviceFeature.Reply::decode,
          MigrationFeature::decode,
          MigrationState::decode,
          DmaLogging.Control::decode,
          DmaLogging.ReportRequest::decode,
          DmaLogging.Report::decode,
          MigDataRead.Request::decode,
          MigDataRead.Reply::decode,
          MigDataWrite.Request::decode);

  private CodecFuzzer() {}

  /** Called for each input. */
  public static void fuzzerTestOneInput(byte[] input) {
    if (input.length == 0) {
      return;
    }
    UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    List<Frame> frames = assemble(input, allocator);
    for (Frame frame : frames) {
      for (Decoder decoder : DECODERS) {
        decode(decoder, frame.payload());
      }
      frame.release();
    }
    check(allocator.metric().usedDirectMemory() == 0, "buffers leak");
  }

  private static List<Frame> assemble(byte[] input, UnpooledByteBufAllocator allocator) {
    FrameAssembler assembler = new FrameAssembler();
    List<Frame> frames = new ArrayList<>();
    int piece = 1 + (input[0] & 0xff);
    int at = 1;
    try {
      while (at < input.length) {
        int length = Math.min(piece, input.length - at);
        assembler.add(
            Unpooled.copiedBuffer(input, at, length), Descriptors.none(), allocator, frames::add);
        at += length;
        check(
            allocator.metric().usedDirectMemory() <= FIXED_BUFFERS + at * BUFFERS_PER_BYTE,
            "a length that nothing backs is allocated");
      }
    } catch (FramingException _) {
      // The stream is lost; what came before it counts.
    }
    assembler.discard();
    long sum = 0;
    for (Frame frame : frames) {
      Header header = frame.header();
      check(header.size() == Header.SIZE + frame.payload().readableBytes(), "size of " + header);
      sum += header.size();
    }
    check(sum < input.length, "more bytes came out than went in");
    return frames;
  }

  private static void decode(Decoder decoder, ByteBuf payload) {
    int start = payload.readerIndex();
    long most = FIXED_ALLOCATION + payload.readableBytes() * ALLOCATION_PER_BYTE;
    long before = ALLOCATIONS.getCurrentThreadAllocatedBytes();
    Payload decoded;
    try {
      decoded = decoder.decode(payload);
    } catch (InvalidMessageException e) {
      check(e.errno() == Errno.EINVAL, "errno " + e.errno());
      return;
    } finally {
      check(payload.readerIndex() == start, "the reader index moved");
      if (ALLOCATIONS.getCurrentThreadAllocatedBytes() - before > most) {
        // It may have loaded a class; that it does once.
        checkAllocation(decoder, payload, most);
      }
    }
    ByteBuf again = Wire.bytes(decoded);
    check(again.readableBytes() == decoded.encodedSize(), "the encoded size of " + decoded);
    try {
      Payload second = decoder.decode(again);
      // Capabilities may lie anywhere in a reply, with gaps, and are encoded one after the other.
      boolean laidOutAnew = decoded instanceof DeviceGetRegionInfo.Reply;
      check(second.equals(decoded) || laidOutAnew, "another comes back than " + decoded);
    } catch (InvalidMessageException e) {
      throw new AssertionError("what was encoded does not decode: " + decoded, e);
    }
  }

  private static void checkAllocation(Decoder decoder, ByteBuf payload, long most) {
    long before = ALLOCATIONS.getCurrentThreadAllocatedBytes();
    try {
      decoder.decode(payload);
    } catch (InvalidMessageException _) {
      // It was refused the first time too.
    }
    long allocated = ALLOCATIONS.getCurrentThreadAllocatedBytes() - before;
    check(allocated <= most, allocated + " bytes allocated, " + most + " are enough");
  }

  private static void check(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }
}
