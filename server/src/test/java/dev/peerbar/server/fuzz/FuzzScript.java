package dev.peerbar.server.fuzz;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Payload;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What a client does, as bytes that a fuzzer can change anywhere and that mean something still.
 * Each step is an operation, what that operation needs, and nothing between.
 */
public final class FuzzScript {
  /** The steps. What is read modulo their number chooses. */
  enum Action {
    /** A message with a right header: command, flags, descriptors, payload. */
    MESSAGE,
    /** A message whose header lies about its size: size, command, flags, descriptors, payload. */
    LIE,
    /** Bytes without sense: descriptors, bytes. */
    RAW,
    /** A message in two pieces: where to cut, command, flags, descriptors, payload. */
    PIECES,
    /** All replies are awaited. */
    AWAIT,
    /** How the requests of the server are answered from now on: see {@link Answer}. */
    ANSWER,
    /** A ring at its place in client memory: entries of 64 bytes. */
    RING,
    /** No more will be sent. */
    HALF_CLOSE,
    /** The connection ends, another begins, negotiated or not. */
    AGAIN,
    /** The last memory file sent becomes shorter, if it can. */
    SHRINK
  }

  /** How a request of the server is answered. */
  public enum Answer {
    RIGHT,
    ERROR,
    WRONG_SIZE,
    WRONG_ID,
    WRONG_COMMAND,
    TWICE,
    NEVER
  }

  /** Kinds of file descriptors. */
  enum Kind {
    SEALED,
    UNSEALED,
    HUGE_PAGES,
    READ_ONLY,
    EVENT,
    PIPE,
    SOCKET,
    NULL_DEVICE,
    ZERO_DEVICE,
    DIRECTORY,
    PROC
  }

  private final ByteBuf bytes = Unpooled.buffer();

  FuzzScript message(Command command, Payload payload, Kind... descriptors) {
    return message(command.code(), 0, Wire.bytes(payload), descriptors);
  }

  FuzzScript posted(Command command, Payload payload, Kind... descriptors) {
    return message(command.code(), Wire.NO_REPLY, Wire.bytes(payload), descriptors);
  }

  FuzzScript message(int command, int flags, ByteBuf payload, Kind... descriptors) {
    step(Action.MESSAGE);
    return body(command, flags, payload, descriptors);
  }

  FuzzScript pieces(int cut, Command command, Payload payload, Kind... descriptors) {
    step(Action.PIECES).bytes.writeByte(cut);
    return body(command.code(), 0, Wire.bytes(payload), descriptors);
  }

  FuzzScript lie(int size, Command command, Payload payload, Kind... descriptors) {
    step(Action.LIE).bytes.writeIntLE(size);
    return body(command.code(), 0, Wire.bytes(payload), descriptors);
  }

  FuzzScript raw(ByteBuf raw, Kind... descriptors) {
    return step(Action.RAW).descriptors(descriptors).data(raw);
  }

  FuzzScript answer(Answer answer) {
    step(Action.ANSWER).bytes.writeByte(answer.ordinal());
    return this;
  }

  FuzzScript ring(Descriptor... entries) {
    MemorySegment ring =
        Arena.ofAuto().allocate((long) entries.length * Descriptor.BYTES, Long.BYTES);
    for (int i = 0; i < entries.length; i++) {
      entries[i].put(ring, (long) i * Descriptor.BYTES);
    }
    return step(Action.RING).data(Unpooled.wrappedBuffer(ring.asByteBuffer()));
  }

  FuzzScript again(boolean negotiated) {
    step(Action.AGAIN).bytes.writeByte(negotiated ? 1 : 0);
    return this;
  }

  FuzzScript step(Action step) {
    bytes.writeByte(step.ordinal());
    return this;
  }

  private FuzzScript body(int command, int flags, ByteBuf payload, Kind... descriptors) {
    bytes.writeByte(command).writeByte(flags);
    return descriptors(descriptors).data(payload);
  }

  private FuzzScript descriptors(Kind... kinds) {
    bytes.writeByte(kinds.length);
    for (Kind kind : kinds) {
      bytes.writeByte(kind.ordinal());
    }
    return this;
  }

  private FuzzScript data(ByteBuf data) {
    bytes.writeShortLE(data.readableBytes()).writeBytes(data);
    return this;
  }

  byte[] toBytes() {
    return ByteBufUtil.getBytes(bytes);
  }

  /** Reads a script; where it ends early there are zeros, and no more steps. */
  static final class Reader {
    private final ByteBuf in;

    Reader(byte[] script) {
      in = Unpooled.wrappedBuffer(script);
    }

    boolean hasNext() {
      return in.isReadable();
    }

    int number() {
      return in.isReadable() ? in.readUnsignedByte() : 0;
    }

    int word() {
      return number() | number() << 8;
    }

    int integer() {
      return word() | word() << 16;
    }

    <E extends Enum<E>> E choose(Class<E> kind) {
      E[] all = kind.getEnumConstants();
      return all[number() % all.length];
    }

    ByteBuf data() {
      int length = Math.min(word(), in.readableBytes());
      return in.readSlice(length).copy();
    }
  }
}
