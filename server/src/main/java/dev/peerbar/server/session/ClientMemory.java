package dev.peerbar.server.session;

import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.server.dma.MessagePath;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Requests of the function to its client, and their replies. The ids are the function's own: a
 * request of the client may carry the same one at the same time.
 */
final class ClientMemory implements MessagePath {
  private static final Logger log = LoggerFactory.getLogger(ClientMemory.class);
  private static final int IDS = 1 << 16;

  private final String name;
  private final Channel channel;
  private final int maxTransfer;
  private final Map<Integer, Pending> pending = new HashMap<>();
  private int lastId;

  /**
   * @param maxTransfer what the client takes in one message, in bytes
   */
  ClientMemory(String name, Channel channel, int maxTransfer) {
    this.name = name;
    this.channel = channel;
    this.maxTransfer = maxTransfer;
  }

  /** A request without its reply yet. Abandoned, it waits for the reply only to free the id. */
  private static final class Pending implements Exchange {
    private final Command command;
    private final long count;
    private final MemorySegment into;
    private Completion completion;

    Pending(Command command, long count, MemorySegment into, Completion completion) {
      this.command = command;
      this.count = count;
      this.into = into;
      this.completion = completion;
    }

    @Override
    public void abandon() {
      completion = null;
    }

    void fail() {
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
    Pending request = new Pending(Command.DMA_READ, into.byteSize(), into, completion);
    int id = allocate(request);
    send(
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
    Pending request = new Pending(Command.DMA_WRITE, from.byteSize(), null, completion);
    int id = allocate(request);
    ByteBuf data = Unpooled.wrappedBuffer(from.asByteBuffer());
    send(
        Frame.request(
            id,
            Command.DMA_WRITE,
            false,
            new DmaWrite.Request(address, data),
            Descriptors.none(),
            channel.alloc()));
    return request;
  }

  private int allocate(Pending request) {
    if (pending.size() == IDS) {
      throw new IllegalStateException("no request id is free");
    }
    do {
      lastId = (lastId + 1) % IDS;
    } while (pending.putIfAbsent(lastId, request) != null);
    return lastId;
  }

  private void send(Frame request) {
    channel.writeAndFlush(request, channel.voidPromise());
  }

  /** Takes in a reply; one that nothing waits for is dropped. */
  void reply(Frame reply) {
    Pending request = pending.get(reply.header().id());
    if (request == null || request.command.code() != reply.header().command()) {
      log.warn("{}: a reply to nothing: {}", name, reply.header());
      return;
    }
    pending.remove(reply.header().id());
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
      return false;
    }
    try {
      if (request.into == null) {
        return switch (DmaWrite.Reply.decode(reply.payload())) {
          case DmaWrite.Acknowledged _ -> true;
          case DmaWrite.Written written -> written.count() == request.count;
        };
      }
      DmaRead.Reply read = DmaRead.Reply.decode(reply.payload());
      if (read.data().readableBytes() != request.count) {
        return false;
      }
      request.into.copyFrom(MemorySegment.ofBuffer(read.data().nioBuffer()));
      return true;
    } catch (InvalidMessageException e) {
      log.warn("{}: a bad reply to {}: {}", name, request.command, e.getMessage());
      return false;
    }
  }

  /** The connection is gone: nothing will be replied. */
  void close() {
    List<Pending> all = List.copyOf(pending.values());
    pending.clear();
    all.forEach(Pending::fail);
  }
}
