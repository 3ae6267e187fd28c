package dev.peerbar.server.fuzz;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.socket.FrameAssembler;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * A client that sends any bytes, and knows from what it sent which replies it has to get: one for
 * each whole command that wants one, in order.
 */
public final class FuzzClient implements AutoCloseable {
  static final int MOST_DESCRIPTORS = 253;

  private static final int MOST_ANSWERED = 1 << 20;

  private final FileDescriptor descriptor;
  private final MessageSocket socket;
  private final Deque<Header> expected = new ArrayDeque<>();
  // What was sent of a message that is not whole yet.
  private final ByteBuf stream = Unpooled.buffer();
  private FuzzScript.Answer answer = FuzzScript.Answer.RIGHT;
  // The size of a message cannot be: the server hangs up.
  private boolean lost;
  // It may hang up with replies unsent.
  private boolean ended;
  private boolean mayEnd;
  private boolean negotiating;
  private int lastId;
  private long sent;
  private long asked;

  /** Takes over a connected socket. */
  public FuzzClient(FileDescriptor descriptor) {
    this.descriptor = descriptor;
    socket = new MessageSocket(descriptor);
  }

  public void negotiate() throws IOException {
    negotiating = true;
    send(
        Wire.message(
            nextId(),
            Command.VERSION.code(),
            0,
            Wire.bytes(new Version.Request(0, 1, Wire.capabilities()))),
        List.of());
    negotiating = false;
    awaitReplies();
  }

  int nextId() {
    return ++lastId & 0xffff;
  }

  /** Messages sent, whole ones. */
  long sent() {
    return sent;
  }

  public void answer(FuzzScript.Answer how) {
    answer = how;
  }

  /** Sends any bytes; they are released. */
  void send(ByteBuf bytes, List<FileDescriptor> descriptors) throws IOException {
    if (lost || ended || !bytes.isReadable()) {
      bytes.release();
      return;
    }
    stream.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
    foresee();
    try {
      socket.send(bytes, descriptors, Wire.LIMIT);
    } catch (LinuxException e) {
      boolean gone = e.errno() == Errno.EPIPE || e.errno() == Errno.ECONNRESET;
      if (!gone || !lost && !mayEnd) {
        throw e;
      }
    }
  }

  private void foresee() {
    while (!lost && stream.readableBytes() >= Header.SIZE) {
      Header header = Header.decode(stream);
      long size = Integer.toUnsignedLong(header.size());
      lost = size < Header.SIZE || size > FrameAssembler.DEFAULT_MAX_FRAME_SIZE;
      if (lost || stream.readableBytes() < size) {
        break;
      }
      stream.skipBytes((int) size);
      sent++;
      // One that is refused is answered, and then the server hangs up.
      mayEnd |= header.command() == Command.VERSION.code() && !negotiating;
      if (!header.isReply() && !header.noReply()) {
        expected.add(header);
      }
    }
    stream.discardSomeReadBytes();
  }

  /** Gets every reply that is due, or the end of the connection if that is. */
  void awaitReplies() throws IOException {
    try {
      while (lost || !expected.isEmpty()) {
        receive();
      }
    } catch (EOFException | LinuxException e) {
      if (!lost && !ended && !mayEnd) {
        throw new AssertionError("the server hung up, owing a reply to " + expected.peek(), e);
      }
      expected.clear();
      ended = true;
      lost = false;
    }
  }

  private void receive() throws IOException {
    Frame frame = socket.receive(Wire.LIMIT);
    try {
      if (frame.header().isReply()) {
        reply(frame);
      } else {
        asked++;
        serve(frame);
      }
    } finally {
      frame.release();
    }
  }

  private void reply(Frame reply) {
    Header header = reply.header();
    Header request = expected.poll();
    require(request != null, "a reply to nothing", header, request);
    require(
        header.id() == request.id() && header.command() == request.command(),
        "a reply out of order",
        header,
        request);
    if (header.error()) {
      require(
          header.size() == Header.SIZE && Errno.of(header.errno()).isPresent(),
          "a bad refusal",
          header,
          request);
    }
  }

  private static void require(boolean holds, String what, Header reply, Header request) {
    if (!holds) {
      throw new AssertionError("%s: %s to %s".formatted(what, reply, request));
    }
  }

  /** Sends a request and awaits its reply, and all before it. */
  public void request(Command command, Payload payload, FileDescriptor... descriptors)
      throws IOException {
    send(Wire.message(nextId(), command.code(), 0, Wire.bytes(payload)), List.of(descriptors));
    awaitReplies();
  }

  /** Writes a register. */
  public void write(int region, long offset, long value, int length) throws IOException {
    ByteBuf data = Unpooled.buffer().writeLongLE(value).slice(0, length);
    request(Command.REGION_WRITE, new RegionWrite.Request(offset, region, data));
  }

  /** Waits until the server has sent so many requests in all. */
  public void awaitAsked(long count) throws IOException {
    while (asked < count) {
      receive();
    }
  }

  /** Answers a request of the server, well or not. */
  private void serve(Frame request) throws IOException {
    Header header = request.header();
    if (answer == FuzzScript.Answer.NEVER) {
      return;
    }
    ByteBuf payload = Unpooled.buffer();
    int id = header.id();
    int command = header.command();
    try {
      if (command == Command.DMA_READ.code()) {
        DmaRead.Request read = DmaRead.Request.decode(request.payload());
        require(read.count() <= MOST_ANSWERED, "too much asked for", header, header);
        read.encode(payload);
        int more = answer == FuzzScript.Answer.WRONG_SIZE ? 8 : 0;
        payload.writeZero((int) read.count() + more);
      } else {
        DmaWrite.Request write = DmaWrite.Request.decode(request.payload());
        long more = answer == FuzzScript.Answer.WRONG_SIZE ? 1 : 0;
        new DmaWrite.Written(write.address(), write.data().readableBytes() + more).encode(payload);
      }
    } catch (InvalidMessageException e) {
      throw new AssertionError("a bad request " + header, e);
    }
    if (answer == FuzzScript.Answer.WRONG_ID) {
      id = id + 1 & 0xffff;
    }
    if (answer == FuzzScript.Answer.WRONG_COMMAND) {
      command = Command.REGION_READ.code();
    }
    final int reply = 1;
    final int error = 1 << 5;
    ByteBuf message =
        answer == FuzzScript.Answer.ERROR
            ? Wire.message(id, command, reply | error, Unpooled.EMPTY_BUFFER)
            : Wire.message(id, command, reply, payload);
    if (answer == FuzzScript.Answer.TWICE) {
      send(message.copy(), List.of());
    }
    send(message, List.of());
  }

  /** No more will come. */
  void halfClose() throws IOException {
    if (!ended) {
      ended = true;
      UnixSocket.shutdown(descriptor, UnixSocket.Direction.WRITE);
    }
  }

  @Override
  public void close() {
    socket.close();
  }
}
