package dev.peerbar.protocol.client;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.socket.FrameAssembler;
import dev.peerbar.protocol.socket.FramingException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.io.EOFException;
import java.io.IOException;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * Sends and receives whole messages on a connected socket, and waits for it.
 *
 * <p>One thread may receive while others send. Closing it ends their waits.
 */
public final class MessageSocket implements AutoCloseable {
  private static final int LEAST_RECEIVED = 4096;
  private static final int MOST_RECEIVED = 256 * 1024;

  private final FileDescriptor socket;
  private final SocketMessages sending = new SocketMessages();
  private final SocketMessages receiving = new SocketMessages();
  private final FrameAssembler assembler;
  private final Deque<Frame> frames = new ArrayDeque<>();
  private int receiveSize = LEAST_RECEIVED;

  /** Takes over a connected socket. */
  public MessageSocket(FileDescriptor socket) {
    this(socket, Integer.MAX_VALUE);
  }

  /**
   * Takes over a connected socket.
   *
   * @param mostReceived the most bytes of a message to receive; with more, framing is lost
   */
  public MessageSocket(FileDescriptor socket, int mostReceived) {
    this.socket = socket;
    this.assembler = new FrameAssembler(mostReceived, SocketMessages.MAX_DESCRIPTORS);
  }

  /**
   * Sends bytes, and descriptors with the first of them.
   *
   * @param bytes released, whatever happens
   * @param descriptors which stay the caller's
   * @param timeout how long to wait for room in the socket
   * @throws SocketTimeoutException if there was none
   */
  public void send(ByteBuf bytes, List<FileDescriptor> descriptors, Duration timeout)
      throws IOException {
    ByteBuf direct = bytes;
    try {
      if (!bytes.hasMemoryAddress()) {
        direct = ByteBufAllocator.DEFAULT.directBuffer(Math.max(1, bytes.readableBytes()));
        direct.writeBytes(bytes);
        bytes.release();
      }
      sendDirect(direct, descriptors, timeout);
    } finally {
      direct.release();
    }
  }

  private synchronized void sendDirect(
      ByteBuf bytes, List<FileDescriptor> descriptors, Duration timeout) throws IOException {
    List<FileDescriptor> left = descriptors;
    while (bytes.isReadable()) {
      sending.addBytes(bytes.memoryAddress() + bytes.readerIndex(), bytes.readableBytes());
      left.forEach(sending::addDescriptor);
      long sent = sending.send(socket);
      if (sent != SocketMessages.WOULD_BLOCK) {
        bytes.skipBytes((int) sent);
        left = List.of();
      } else if (!UnixSocket.awaitWritable(socket, timeout)) {
        throw new SocketTimeoutException("no room to send");
      }
    }
  }

  /**
   * Sends a message and releases it.
   *
   * @throws SocketTimeoutException if there was no room in the socket
   */
  public void send(Frame frame, Duration timeout) throws IOException {
    try {
      ByteBuf payload = frame.payload();
      ByteBuf bytes = ByteBufAllocator.DEFAULT.directBuffer(Header.SIZE + payload.readableBytes());
      frame.header().encode(bytes);
      bytes.writeBytes(payload, payload.readerIndex(), payload.readableBytes());
      List<FileDescriptor> descriptors = frame.descriptors().takeAll();
      try {
        send(bytes, descriptors, timeout);
      } finally {
        descriptors.forEach(FileDescriptor::close);
      }
    } finally {
      frame.release();
    }
  }

  /**
   * Waits for the next message, for as long as it takes.
   *
   * @return to be released
   * @throws EOFException if the peer, or {@link #end}, ended the connection
   * @throws ProtocolException if framing is lost
   */
  public Frame receive() throws IOException {
    while (frames.isEmpty()) {
      if (receiveOnce(true) == SocketMessages.WOULD_BLOCK) {
        UnixSocket.awaitReadable(socket, Duration.ofDays(1));
      }
    }
    return frames.remove();
  }

  /**
   * Waits for the next message.
   *
   * @return to be released
   * @throws SocketTimeoutException if none came in time
   * @throws EOFException if the peer, or {@link #end}, ended the connection
   * @throws ProtocolException if framing is lost
   */
  public Frame receive(Duration timeout) throws IOException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (frames.isEmpty()) {
      if (receiveOnce(false) == SocketMessages.WOULD_BLOCK
          && !UnixSocket.awaitReadable(
              socket, Duration.ofNanos(Math.max(0, deadline - System.nanoTime())))) {
        throw new SocketTimeoutException("no message in " + timeout);
      }
    }
    return frames.remove();
  }

  private int receiveOnce(boolean wait) throws IOException {
    ByteBuf bytes = ByteBufAllocator.DEFAULT.directBuffer(receiveSize, receiveSize);
    int result = SocketMessages.WOULD_BLOCK;
    try {
      result =
          wait
              ? receiving.receiveWaiting(socket, bytes.memoryAddress(), receiveSize)
              : receiving.receive(socket, bytes.memoryAddress(), receiveSize);
    } finally {
      if (result <= 0) {
        bytes.release();
      }
    }
    if (result == SocketMessages.END_OF_STREAM) {
      throw new EOFException("the connection ended");
    }
    if (result > 0) {
      if (result == receiveSize) {
        receiveSize = Math.min(MOST_RECEIVED, receiveSize * 2);
      }
      assemble(bytes.writerIndex(result));
    }
    return result;
  }

  private void assemble(ByteBuf bytes) throws ProtocolException {
    try (Descriptors descriptors =
        Descriptors.of(receiving.takeDescriptors(), receiving.truncated())) {
      assembler.add(bytes, descriptors, ByteBufAllocator.DEFAULT, frames::add);
    } catch (FramingException e) {
      throw new ProtocolException(e.getMessage());
    }
  }

  /** Ends the connection in both directions, and all waits. */
  public void end() {
    try {
      UnixSocket.shutdown(socket, UnixSocket.Direction.BOTH);
    } catch (LinuxException e) {
      // The peer ended it first.
    }
  }

  /** The socket, to look at. */
  public FileDescriptor socket() {
    return socket;
  }

  /**
   * Ends the connection and frees what was received; for the receiving thread, or when it is gone.
   */
  @Override
  public void close() {
    end();
    socket.close();
    frames.forEach(Frame::release);
    frames.clear();
    assembler.discard();
  }
}
