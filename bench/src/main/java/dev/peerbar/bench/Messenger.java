package dev.peerbar.bench;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.SocketMessages;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One end of a bare socket: one sendmsg and one recvmsg a message, nothing decoded. For one thread.
 */
final class Messenger {
  private static final int ROOM = 4096;

  private final FileDescriptor socket;
  private final SocketMessages messages = new SocketMessages();
  private final MemorySegment received = Arena.ofAuto().allocate(ROOM);

  Messenger(FileDescriptor socket) {
    this.socket = socket;
  }

  /** Sends a message whole. */
  void send(MemorySegment message) throws LinuxException {
    messages.addBytes(message.address(), Math.toIntExact(message.byteSize()));
    long sent = messages.send(socket);
    if (sent != message.byteSize()) {
      throw new IllegalStateException("sent " + sent + " of " + message.byteSize() + " bytes");
    }
  }

  /** Waits for a message and returns its bytes, or none if the other end has gone. */
  MemorySegment receive() throws LinuxException {
    int length = messages.receiveWaiting(socket, received.address(), ROOM);
    messages.takeDescriptors().forEach(FileDescriptor::close);
    return received.asSlice(0, Math.max(0, length));
  }
}
