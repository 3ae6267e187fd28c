package dev.peerbar.bench.rig;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.protocol.Header;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Stands between a client and a server while a function is set up, so that the connection to the
 * server outlives the client and its thread: what is timed afterwards goes over the bare socket.
 *
 * <p>Passes on one request at a time, and its reply if there is one; the server asks for nothing.
 */
final class Relay implements AutoCloseable {
  /** The longest message to be passed on, in bytes. */
  private static final int ROOM = 1 << 16;

  private final FileDescriptor client;
  private final FileDescriptor server;
  private final SocketMessages messages = new SocketMessages();
  private final MemorySegment message = Arena.ofAuto().allocate(ROOM, Long.BYTES);
  private final List<FileDescriptor> descriptors = new ArrayList<>();
  private final Thread thread = Thread.ofPlatform().daemon().name("relay").unstarted(this::relay);

  private Relay(FileDescriptor client, FileDescriptor server) {
    this.client = client;
    this.server = server;
  }

  /**
   * Begins to pass on.
   *
   * @param client the other end of the client's socket, owned by this
   * @param server a connection, which stays the caller's
   */
  static Relay start(FileDescriptor client, FileDescriptor server) {
    Relay relay = new Relay(client, server);
    relay.thread.start();
    return relay;
  }

  private void relay() {
    try {
      Header request = pass(client, server);
      while (request != null) {
        if (!request.noReply() && pass(server, client) == null) {
          return;
        }
        request = pass(client, server);
      }
    } catch (LinuxException _) {
      // One of them has gone, which the other is told by its socket's end.
    } finally {
      client.close();
    }
  }

  /** Passes on one message and returns its header, or null if there will be no more. */
  private Header pass(FileDescriptor from, FileDescriptor to) throws LinuxException {
    if (!receive(from, 0, Header.SIZE)) {
      return null;
    }
    Header header = Header.decode(Unpooled.wrappedBuffer(message.asByteBuffer()));
    if (!receive(from, Header.SIZE, header.size())) {
      return null;
    }
    descriptors.forEach(messages::addDescriptor);
    for (long sent = 0; sent < header.size(); ) {
      messages.addBytes(message.address() + sent, Math.toIntExact(header.size() - sent));
      sent += messages.sendWaiting(to);
    }
    descriptors.forEach(FileDescriptor::close);
    descriptors.clear();
    return header;
  }

  /** Receives up to an offset of the message; false if the other end has gone. */
  private boolean receive(FileDescriptor from, int offset, int end) throws LinuxException {
    if (end > ROOM) {
      throw new IllegalStateException("a message of %d bytes".formatted(end));
    }
    for (int have = offset; have < end; ) {
      int got = messages.receiveWaiting(from, message.address() + have, end - have);
      descriptors.addAll(messages.takeDescriptors());
      if (got <= 0) {
        return false;
      }
      have += got;
    }
    return true;
  }

  /** Waits until the client, which has closed its socket, has been listened to. */
  @Override
  public void close() {
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
