package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Sends and receives bytes together with file descriptors (sendmsg(2), recvmsg(2), SCM_RIGHTS).
 *
 * <p>Holds the structures that the calls want, so that a call allocates nothing but what it
 * received. For one thread at a time, and for any number of sockets. Memory is freed with the
 * object.
 *
 * <p>To send: {@link #addBytes} the ranges, {@link #addDescriptor} the descriptors, {@link #send}.
 * To receive: {@link #receive}, then {@link #takeDescriptors}.
 */
public final class SocketMessages {
  /** How many descriptors Linux lets one message carry (SCM_MAX_FD). */
  public static final int MAX_DESCRIPTORS = 253;

  /** How many ranges of bytes one send can gather. */
  public static final int MAX_RANGES = 64;

  /** A {@link #receive} or {@link #send} that would have had to wait. */
  public static final int WOULD_BLOCK = -1;

  /** What {@link #receive} returns when the peer will send no more. */
  public static final int END_OF_STREAM = -2;

  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;
  private static final int SIOCOUTQ = 0x5411;
  private static final int MSG_CTRUNC = 0x8;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;

  // struct msghdr on a 64-bit machine
  private static final long MSG_IOV = 16;
  private static final long MSG_IOVLEN = 24;
  private static final long MSG_CONTROL = 32;
  private static final long MSG_CONTROLLEN = 40;
  private static final long MSG_FLAGS = 48;
  private static final long MSGHDR = 56;

  // struct iovec
  private static final long IOV_BASE = 0;
  private static final long IOV_LEN = 8;
  private static final long IOVEC = 16;

  // struct cmsghdr
  private static final long CMSG_LEN = 0;
  private static final long CMSG_LEVEL = 8;
  private static final long CMSG_TYPE = 12;
  private static final long CMSG_DATA = 16;
  private static final long CONTROL = align(CMSG_DATA + MAX_DESCRIPTORS * (long) Integer.BYTES);

  // Where the structures are in the one piece of memory.
  private static final long RANGES = align(MSGHDR);
  private static final long CONTROLS = RANGES + MAX_RANGES * IOVEC;
  private static final long COUNT = CONTROLS + CONTROL;
  private static final long TOTAL = COUNT + Long.BYTES;

  private final MemorySegment memory = Arena.ofAuto().allocate(TOTAL, Long.BYTES);
  private final List<FileDescriptor> toSend = new ArrayList<>();
  private List<FileDescriptor> received = List.of();
  private boolean truncated;
  private int ranges;
  private int mostReceived = MAX_DESCRIPTORS;

  private static long align(long length) {
    return (length + Long.BYTES - 1) & -Long.BYTES;
  }

  /**
   * Limits the descriptors of one {@link #receive}: the kernel closes those beyond, which this
   * process never has, and the receive is {@link #truncated}.
   *
   * @param most at most {@link #MAX_DESCRIPTORS}; one more may come if it is odd
   */
  public void limitReceived(int most) {
    if (most > MAX_DESCRIPTORS) {
      throw new IllegalArgumentException(most + " descriptors in one message");
    }
    mostReceived = most;
  }

  /**
   * Adds a range of memory to what the next {@link #send} sends.
   *
   * @param address of memory that stays allocated until the send returned
   * @param length in bytes, positive
   * @return false if there is no place for another range
   */
  public boolean addBytes(long address, int length) {
    if (ranges == MAX_RANGES) {
      return false;
    }
    long range = RANGES + ranges * IOVEC;
    memory.set(JAVA_LONG, range + IOV_BASE, address);
    memory.set(JAVA_LONG, range + IOV_LEN, length);
    ranges++;
    return true;
  }

  /**
   * Adds a descriptor to what the next {@link #send} sends with its first byte. It stays the
   * caller's, who keeps it open until the send returned.
   *
   * @throws IllegalStateException for more than {@link #MAX_DESCRIPTORS}
   */
  public void addDescriptor(FileDescriptor descriptor) {
    if (toSend.size() == MAX_DESCRIPTORS) {
      throw new IllegalStateException("more than " + MAX_DESCRIPTORS + " descriptors");
    }
    toSend.add(descriptor);
  }

  /**
   * Sends what was added, or a first part of it, without waiting, and forgets it. Descriptors go
   * with the first byte: all of them, unless nothing is sent.
   *
   * @return the number of bytes sent, or {@link #WOULD_BLOCK}
   * @throws LinuxException EPIPE if the peer has gone, ETOOMANYREFS if it leaves too many
   *     descriptors unread, EBADF if the socket or a descriptor is closed
   */
  public long send(FileDescriptor socket) throws LinuxException {
    return send(socket, MSG_DONTWAIT);
  }

  /**
   * As {@link #send}, but waits for room unless the socket does not block. A {@link
   * UnixSocket#shutdown} of the socket ends the wait.
   */
  public long sendWaiting(FileDescriptor socket) throws LinuxException {
    return send(socket, 0);
  }

  private long send(FileDescriptor socket, int flags) throws LinuxException {
    int acquired = 0;
    int number = socket.acquire("sendmsg");
    try {
      long control = 0;
      if (!toSend.isEmpty()) {
        control = CMSG_DATA + toSend.size() * (long) Integer.BYTES;
        memory.set(JAVA_LONG, CONTROLS + CMSG_LEN, control);
        memory.set(JAVA_INT, CONTROLS + CMSG_LEVEL, SOL_SOCKET);
        memory.set(JAVA_INT, CONTROLS + CMSG_TYPE, SCM_RIGHTS);
        for (FileDescriptor descriptor : toSend) {
          long place = CONTROLS + CMSG_DATA + acquired * (long) Integer.BYTES;
          memory.set(JAVA_INT, place, descriptor.acquire("sendmsg"));
          acquired++;
        }
      }
      prepare(ranges, align(control));
      long sent = Libc.sendmsg(number, memory.address(), flags | MSG_NOSIGNAL);
      return sent >= 0 ? sent : waitOrFail("sendmsg");
    } finally {
      for (int i = 0; i < acquired; i++) {
        toSend.get(i).release();
      }
      socket.release();
      toSend.clear();
      ranges = 0;
    }
  }

  /**
   * How much of the send buffer is taken by what the peer has not received yet (SIOCOUTQ). In
   * bytes, as {@link UnixSocket#sendBuffer} counts them.
   */
  public int unread(FileDescriptor socket) throws LinuxException {
    int number = socket.acquire("ioctl");
    try {
      Libc.check("ioctl", Libc.ioctl(number, SIOCOUTQ, memory.address() + COUNT));
      return memory.get(JAVA_INT, COUNT);
    } finally {
      socket.release();
    }
  }

  /**
   * Receives bytes, and the descriptors that came with them, closed on exec. Does not wait.
   *
   * <p>A receive ends after the bytes that came in one send with descriptors, so that it never
   * returns the descriptors of two sends.
   *
   * @param address of memory to receive into
   * @param length in bytes, positive
   * @return the number of bytes, positive, or {@link #WOULD_BLOCK} or {@link #END_OF_STREAM}
   * @throws LinuxException ECONNRESET and what recvmsg(2) says
   * @throws IllegalStateException if descriptors received before were not taken
   */
  public int receive(FileDescriptor socket, long address, int length) throws LinuxException {
    return receive(socket, address, length, MSG_DONTWAIT);
  }

  /**
   * As {@link #receive}, but waits for the first byte unless the socket does not block. A {@link
   * UnixSocket#shutdown} of the socket ends the wait.
   */
  public int receiveWaiting(FileDescriptor socket, long address, int length) throws LinuxException {
    return receive(socket, address, length, 0);
  }

  private int receive(FileDescriptor socket, long address, int length, int flags)
      throws LinuxException {
    if (!received.isEmpty()) {
      throw new IllegalStateException("descriptors received before have no owner yet");
    }
    int number = socket.acquire("recvmsg");
    try {
      memory.set(JAVA_LONG, RANGES + IOV_BASE, address);
      memory.set(JAVA_LONG, RANGES + IOV_LEN, length);
      prepare(1, align(CMSG_DATA + mostReceived * (long) Integer.BYTES));
      long got = Libc.recvmsg(number, memory.address(), flags | MSG_CMSG_CLOEXEC);
      truncated = false;
      if (got < 0) {
        return waitOrFail("recvmsg");
      }
      truncated = (memory.get(JAVA_INT, MSG_FLAGS) & MSG_CTRUNC) != 0;
      adoptDescriptors();
      return got == 0 ? END_OF_STREAM : (int) got;
    } finally {
      socket.release();
    }
  }

  private void prepare(int rangeCount, long controlLength) {
    memory.set(JAVA_LONG, MSG_IOV, memory.address() + RANGES);
    memory.set(JAVA_LONG, MSG_IOVLEN, rangeCount);
    memory.set(JAVA_LONG, MSG_CONTROL, controlLength == 0 ? 0 : memory.address() + CONTROLS);
    memory.set(JAVA_LONG, MSG_CONTROLLEN, controlLength);
    memory.set(JAVA_INT, MSG_FLAGS, 0);
  }

  private void adoptDescriptors() {
    long controlLength = memory.get(JAVA_LONG, MSG_CONTROLLEN);
    if (controlLength < CMSG_DATA) {
      return;
    }
    List<FileDescriptor> adopted = new ArrayList<>();
    long header = CONTROLS;
    long end = CONTROLS + controlLength;
    while (header + CMSG_DATA <= end) {
      long length = memory.get(JAVA_LONG, header + CMSG_LEN);
      if (memory.get(JAVA_INT, header + CMSG_LEVEL) == SOL_SOCKET
          && memory.get(JAVA_INT, header + CMSG_TYPE) == SCM_RIGHTS) {
        for (long at = CMSG_DATA; at + Integer.BYTES <= length; at += Integer.BYTES) {
          adopted.add(FileDescriptor.adopt(memory.get(JAVA_INT, header + at)));
        }
      }
      if (length < CMSG_DATA) {
        break;
      }
      header += align(length);
    }
    received = adopted;
  }

  private static int waitOrFail(String call) throws LinuxException {
    int errno = Libc.errno();
    if (errno == Errno.EAGAIN.code() || errno == Errno.EINTR.code()) {
      return WOULD_BLOCK;
    }
    throw new LinuxException(call, errno);
  }

  /**
   * The descriptors that the last {@link #receive} brought, in the order they were sent, the
   * caller's to close from now on.
   */
  public List<FileDescriptor> takeDescriptors() {
    List<FileDescriptor> taken = received;
    received = List.of();
    return taken;
  }

  /**
   * Whether the last {@link #receive} lost descriptors because the process may have no more, or
   * because of {@link #limitReceived}.
   */
  public boolean truncated() {
    return truncated;
  }
}
