package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.socket.LentMessage;
import dev.peerbar.server.dma.MessagePath;
import dev.peerbar.server.events.MessageEvent;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;

/**
 * Requests of the function to its client, and their replies. The ids are the function's own: a
 * request of the client may carry the same one at the same time.
 *
 * <p>The channel has one of them at a time, and the others wait here, where they hold nothing but
 * what they are made of: a client that does not receive makes nothing pile up.
 */
final class ClientMemory implements MessagePath {
  private static final int IDS = 1 << 16;

  /** Requests that the client has not replied to, most of them abandoned, before it is given up. */
  private static final int MOST_PENDING = 1 << 14;

  /** A request without the data: the header, an address and a count. In bytes. */
  static final int HEAD = Header.SIZE + DmaWrite.DATA;

  private final ServedFunction function;
  private final Channel channel;
  private final int maxTransfer;
  private final Map<Integer, Pending> pending = new HashMap<>();
  private final SequencedSet<Pending> waiting = new LinkedHashSet<>();
  private boolean sending;
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
  private final class Pending implements Exchange {
    private final Command command;
    private final long address;
    private final long count;
    // What is read into or written from. Null once nothing is to be moved any more: a client may
    // let requests without a reply pile up.
    private MemorySegment memory;
    private Completion completion;
    private int id;
    private LentMessage message;
    // Null if nobody records.
    private MessageEvent event;

    Pending(Command command, long address, MemorySegment memory, Completion completion) {
      this.command = command;
      this.address = address;
      this.count = memory.byteSize();
      this.memory = memory;
      this.completion = completion;
    }

    /** Makes the message, whose data are the memory itself. */
    void encode() {
      boolean write = command == Command.DMA_WRITE;
      int dataSize = write ? (int) count : 0;
      ByteBuf head = channel.alloc().directBuffer(HEAD, HEAD);
      Header.request(id, command, HEAD - Header.SIZE + dataSize, false).encode(head);
      if (write) {
        DmaWrite.Request.encodeFixed(head, address, count);
      } else {
        new DmaRead.Request(address, count).encode(head);
      }
      message = new LentMessage(head, write ? memory : MemorySegment.NULL, this::mayBegin);
    }

    private boolean mayBegin() {
      if (!completion.mayBegin()) {
        return false;
      }
      if (event == null && MessageEvent.enabled()) {
        event = MessageEvent.toClient(function.name(), command.name(), id, address);
        event.sent(HEAD + (command == Command.DMA_WRITE ? (int) count : 0), 0);
      }
      return true;
    }

    @Override
    public void abandon() {
      completion = null;
      letGo();
      if (!message.hasBegun()) {
        // It never will, and so nobody replies to it.
        pending.remove(id);
        if (waiting.remove(this)) {
          message.release();
        }
      }
    }

    /** The memory is not touched any more. */
    void letGo() {
      memory = null;
      message.takeBack(channel.alloc());
    }

    void fail() {
      if (event != null) {
        event.finish();
      }
      letGo();
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
    return begin(new Pending(Command.DMA_READ, address, into, completion));
  }

  @Override
  public Exchange write(long address, MemorySegment from, Completion completion) {
    return begin(new Pending(Command.DMA_WRITE, address, from, completion));
  }

  private Exchange begin(Pending request) {
    request.id = allocate(request);
    try {
      request.encode();
    } catch (RuntimeException | Error e) {
      pending.remove(request.id);
      throw e;
    }
    waiting.add(request);
    sendNext();
    return request;
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

  private void sendNext() {
    while (!sending && !waiting.isEmpty()) {
      Pending next = waiting.removeFirst();
      sending = true;
      // As the void promise does, it lets the pipeline know of a failure.
      channel.writeAndFlush(
          next.message, channel.voidPromise().unvoid().addListener(_ -> sent(next)));
    }
  }

  /** The channel is done with a message, one way or another. */
  private void sent(Pending request) {
    sending = false;
    if (!request.message.hasBegun() && request.completion != null && channel.isOpen()) {
      // It might not begin. Whoever wanted it may still be amid the call that began it.
      pending.remove(request.id);
      channel.eventLoop().execute(request::fail);
    }
    sendNext();
  }

  /** Takes in a reply; one that nothing waits for is dropped. */
  void reply(Frame reply) {
    Pending request = pending.get(reply.header().id());
    if (request == null
        || !request.message.hasBegun()
        || request.command.code() != reply.header().command()) {
      function
          .log()
          .refused(
              Commands.name(reply.header()) + " reply dropped",
              Errno.EPROTO.name(),
              "no request has the id " + reply.header().id());
      return;
    }
    pending.remove(request.id);
    if (request.event != null) {
      request.event.received(reply.header().size(), reply.descriptors().count());
      request.event.reply(Commands.errno(reply.header()));
      request.event.finish();
    }
    if (request.completion == null) {
      return;
    }
    boolean succeeded = succeeded(request, reply);
    // A client may reply before it has received all.
    request.letGo();
    if (succeeded) {
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
      request.memory.copyFrom(MemorySegment.ofBuffer(read.data().nioBuffer()));
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
    waiting.forEach(request -> request.message.release());
    waiting.clear();
    pending.clear();
    for (Pending request : all) {
      try {
        request.fail();
      } catch (RuntimeException | Error e) {
        // The others wait for this as well.
        function.log().failed(request.command + " was not given up", e);
      }
    }
  }
}
