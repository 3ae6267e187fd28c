package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.server.dma.MessagePath;
import dev.peerbar.server.events.MessageEvent;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOutboundBuffer;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Requests of the function to its client, and their replies. The ids are the function's own: a
 * request of the client may carry the same one at the same time.
 */
final class ClientMemory implements MessagePath {
  private static final int IDS = 1 << 16;

  /** Requests that the client has not replied to, most of them abandoned, before it is given up. */
  private static final int MOST_PENDING = 1 << 14;

  /** What may wait to be sent before a client counts as one that does not receive, in bytes. */
  private static final long BACKLOG = 4 << 20;

  private final ServedFunction function;
  private final Channel channel;
  private final int maxTransfer;
  private final Map<Integer, Pending> pending = new HashMap<>();
  private int lastId;

  /**
   * @param maxTransfer what the client takes in one message, in bytes
   */
  ClientMemory(ServedFunction function, Channel channel, int maxTransfer) {
    this.function = function;
    this.channel = channel;
    this.maxTransfer = maxTransfer;
  }

  /** A request without its reply yet. Abandoned, it waits for the reply only to free the id. */
  private static final class Pending implements Exchange {
    private final Command command;
    private final long address;
    private final long count;
    // Null for a write, and once abandoned: a client may let requests without a reply pile up.
    private MemorySegment into;
    private Completion completion;
    // Null if nobody records.
    private MessageEvent event;

    Pending(Command command, long address, long count, MemorySegment into, Completion completion) {
      this.command = command;
      this.address = address;
      this.count = count;
      this.into = into;
      this.completion = completion;
    }

    @Override
    public void abandon() {
      completion = null;
      into = null;
    }

    void fail() {
      if (event != null) {
        event.finish();
      }
      if (completion != null) {
        completion.failed();
      }
    }
  }

  @Override
  public int maxTransfer() {
    return maxTransfer;
  }

  @Override
  public Exchange read(long address, MemorySegment into, Completion completion) {
    Pending request = new Pending(Command.DMA_READ, address, into.byteSize(), into, completion);
    int id = allocate(request);
    send(
        request,
        Frame.request(
            id,
            Command.DMA_READ,
            false,
            new DmaRead.Request(address, into.byteSize()),
            Descriptors.none(),
            channel.alloc()));
    return request;
  }

  @Override
  public Exchange write(long address, MemorySegment from, Completion completion) {
    Pending request = new Pending(Command.DMA_WRITE, address, from.byteSize(), null, completion);
    int id = allocate(request);
    ByteBuf data = toSend(from);
    send(
        request,
        Frame.request(
            id,
            Command.DMA_WRITE,
            false,
            new DmaWrite.Request(address, data),
            Descriptors.none(),
            channel.alloc()));
    return request;
  }

  /**
   * The bytes themselves if they are about to be sent. A client that does not receive has others
   * wait before them: what waits for long must not keep the memory of jobs that ended long ago.
   */
  private ByteBuf toSend(MemorySegment from) {
    ByteBuf bytes = Unpooled.wrappedBuffer(from.asByteBuffer());
    ChannelOutboundBuffer waiting = channel.unsafe().outboundBuffer();
    if (waiting == null || waiting.totalPendingWriteBytes() < BACKLOG) {
      return bytes;
    }
    return channel.alloc().directBuffer(bytes.readableBytes()).writeBytes(bytes);
  }

  private int allocate(Pending request) {
    if (pending.size() == MOST_PENDING) {
      function.log().warn("hanging up: %d requests without a reply", MOST_PENDING);
      channel.eventLoop().execute(channel::close);
    }
    do {
      lastId = (lastId + 1) % IDS;
    } while (pending.putIfAbsent(lastId, request) != null);
    return lastId;
  }

  private void send(Pending pending, Frame request) {
    if (MessageEvent.enabled()) {
      pending.event =
          MessageEvent.toClient(
              function.name(), pending.command.name(), request.header().id(), pending.address);
      pending.event.sent(request.header().size(), 0);
    }
    channel.writeAndFlush(request, channel.voidPromise());
  }

  /** Takes in a reply; one that nothing waits for is dropped. */
  void reply(Frame reply) {
    Pending request = pending.get(reply.header().id());
    if (request == null || request.command.code() != reply.header().command()) {
      function
          .log()
          .refused(
              Commands.name(reply.header()) + " reply dropped",
              Errno.EPROTO.name(),
              "no request has the id " + reply.header().id());
      return;
    }
    pending.remove(reply.header().id());
    if (request.event != null) {
      request.event.received(reply.header().size(), reply.descriptors().count());
      request.event.reply(Commands.errno(reply.header()));
      request.event.finish();
    }
    if (request.completion == null) {
      return;
    }
    if (succeeded(request, reply)) {
      request.completion.done();
    } else {
      request.completion.failed();
    }
  }

  private boolean succeeded(Pending request, Frame reply) {
    if (reply.header().error()) {
      // No fault of anybody's: a driver that resets its device amid a copy, for one.
      function
          .log()
          .info(
              "%s of 0x%x + 0x%x refused with %s by the client",
              request.command, request.address, request.count, Commands.errno(reply.header()));
      return false;
    }
    try {
      if (request.command == Command.DMA_WRITE) {
        return switch (DmaWrite.Reply.decode(reply.payload())) {
          case DmaWrite.Acknowledged _ -> true;
          case DmaWrite.Written written -> complete(request, written.count());
        };
      }
      DmaRead.Reply read = DmaRead.Reply.decode(reply.payload());
      if (!complete(request, read.data().readableBytes())) {
        return false;
      }
      request.into.copyFrom(MemorySegment.ofBuffer(read.data().nioBuffer()));
      return true;
    } catch (InvalidMessageException e) {
      refused(request, e.errno().name(), "a bad reply: " + e.getMessage());
      return false;
    }
  }

  private boolean complete(Pending request, long count) {
    if (count != request.count) {
      refused(request, Errno.EPROTO.name(), "the client moved " + count + " bytes");
      return false;
    }
    return true;
  }

  private void refused(Pending request, String errno, String why) {
    function
        .log()
        .refused(
            "%s of 0x%x + 0x%x failed".formatted(request.command, request.address, request.count),
            errno,
            why);
  }

  /** The connection is gone: nothing will be replied. */
  void close() {
    List<Pending> all = List.copyOf(pending.values());
    pending.clear();
    all.forEach(Pending::fail);
  }
}
