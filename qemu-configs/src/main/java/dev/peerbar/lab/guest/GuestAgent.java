package dev.peerbar.lab.guest;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The agent in the guest: raw system calls, loads and stores, bulk work on guest memory.
 *
 * <p>Addresses are virtual addresses of the agent's process. May be used from any thread; calls are
 * served one after the other. Every call throws {@link IOException} if the guest does not answer in
 * time, and the agent is lost then.
 */
public final class GuestAgent implements AutoCloseable {
  private static final int PROTOCOL_VERSION = 2;
  private static final int LARGEST_TRANSFER = 1 << 20;
  private static final int ALIGNMENT = 64;

  /** How long a call may take that does not itself wait; generous, for TCG on a busy machine. */
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private static final Duration RETRY = Duration.ofMillis(20);

  enum Operation {
    HELLO,
    SYSCALL,
    READ,
    WRITE,
    LOAD,
    STORE,
    FILL,
    VERIFY,
    SET,
    COMPARE,
    TIME,
    POLLER_START,
    POLLER_STOP,
    WAIT_EVENT,
    SPAWN,
    WAIT_PROGRAM,
    TIME_COPY,
    TIME_EVENT
  }

  private static final int STATUS_OK = 0;
  private static final int STATUS_BAD_REQUEST = 1;
  private static final int STATUS_FAULT = 2;
  private static final int STATUS_TIMEOUT = 3;

  private final AgentConnection connection;
  private final int pageSize;
  private final long arena;
  private final long arenaSize;

  private GuestAgent(AgentConnection connection) throws IOException {
    this.connection = connection;
    ByteBuffer hello = call(Operation.HELLO, buffer(0));
    int version = hello.getInt();
    if (version != PROTOCOL_VERSION) {
      throw new IOException("the guest agent speaks version " + version);
    }
    pageSize = hello.getInt();
    arena = hello.getLong();
    arenaSize = hello.getLong();
  }

  /**
   * Waits until the agent of a guest that is starting answers.
   *
   * @param socket of the virtio port's character device
   * @param limit how long the guest may take to boot
   * @param alive asked again and again; false ends the wait
   */
  public static GuestAgent connect(
      Path socket, Duration limit, java.util.function.BooleanSupplier alive) throws IOException {
    long end = System.nanoTime() + limit.toNanos();
    while (true) {
      AgentConnection connection = null;
      try {
        connection = AgentConnection.connect(socket);
        return new GuestAgent(connection);
      } catch (IOException e) {
        if (connection != null) {
          connection.close();
        }
        // The socket is not there until QEMU has got to it.
        if (System.nanoTime() >= end || !alive.getAsBoolean() || connection != null) {
          throw new IOException("the guest did not start: " + e.getMessage(), e);
        }
      }
      try {
        Thread.sleep(RETRY);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while the guest was starting", e);
      }
    }
  }

  /** Bytes of a page in the guest. */
  public int pageSize() {
    return pageSize;
  }

  /**
   * The outcome of a system call that succeeded.
   *
   * @param value what it returned
   * @param took time in the guest's kernel
   */
  public record Result(long value, Duration took) {
    public int asInt() {
      return Math.toIntExact(value);
    }
  }

  /**
   * Makes a system call.
   *
   * @throws GuestErrnoException if the kernel refused it; {@link Argument.InOut} and {@link
   *     Argument.Out} hold what it left behind in this case too
   */
  public Result syscall(Syscall call, Argument... arguments) throws IOException {
    return syscall(call.toString(), call, LIMIT, arguments);
  }

  /** The same with a name for messages and a limit for a call that takes long. */
  Result syscall(String name, Syscall call, Duration limit, Argument... arguments)
      throws IOException {
    if (arguments.length > 6) {
      throw new IllegalArgumentException("more than six arguments");
    }
    long[] values = new long[6];
    List<LaidOut> laidOut = new ArrayList<>();
    long at = arena;
    for (int i = 0; i < arguments.length; i++) {
      values[i] = at;
      switch (arguments[i]) {
        case Argument.Immediate(long value) -> values[i] = value;
        case Argument.In(byte[] bytes) -> laidOut.add(new LaidOut(at, bytes, true, false));
        case Argument.Out(byte[] bytes) -> laidOut.add(new LaidOut(at, bytes, false, true));
        case Argument.InOut(byte[] bytes) -> laidOut.add(new LaidOut(at, bytes, true, true));
      }
      if (!laidOut.isEmpty()) {
        LaidOut last = laidOut.getLast();
        at = Math.max(at, (last.address + last.bytes.length + ALIGNMENT - 1) & -ALIGNMENT);
      }
    }
    if (at - arena > arenaSize) {
      throw new IllegalArgumentException("arguments of " + (at - arena) + " bytes");
    }
    ByteBuffer answer = call(Operation.SYSCALL, encode(call, values, laidOut), limit);
    long result = answer.getLong();
    Duration took = Duration.ofNanos(answer.getLong());
    for (LaidOut p : laidOut) {
      if (p.loaded) {
        answer.get(p.bytes);
      }
    }
    // The kernel's own convention: the last page of the address space is error numbers.
    if (result < 0 && result >= -4095) {
      throw new GuestErrnoException(name, (int) -result);
    }
    return new Result(result, took);
  }

  private record LaidOut(long address, byte[] bytes, boolean stored, boolean loaded) {}

  private static ByteBuffer encode(Syscall call, long[] values, List<LaidOut> laidOut) {
    int size = 64 + laidOut.stream().mapToInt(p -> 24 + p.bytes.length).sum();
    ByteBuffer b = buffer(size).putLong(call.number());
    for (long v : values) {
      b.putLong(v);
    }
    b.putInt((int) laidOut.stream().filter(LaidOut::stored).count());
    for (LaidOut p : laidOut) {
      if (p.stored) {
        b.putLong(p.address).putInt(p.bytes.length).put(p.bytes);
      }
    }
    b.putInt((int) laidOut.stream().filter(LaidOut::loaded).count());
    for (LaidOut p : laidOut) {
      if (p.loaded) {
        b.putLong(p.address).putInt(p.bytes.length);
      }
    }
    return b.flip();
  }

  /** Where arguments of a call can be laid out by hand: valid until the next system call. */
  public long scratch() {
    return arena + arenaSize / 2;
  }

  /** Reads memory of the agent. */
  public byte[] read(long address, int length) throws IOException {
    byte[] bytes = new byte[length];
    for (int done = 0; done < length; ) {
      int part = Math.min(LARGEST_TRANSFER, length - done);
      call(Operation.READ, buffer(12).putLong(address + done).putInt(part).flip())
          .get(bytes, done, part);
      done += part;
    }
    return bytes;
  }

  /** Writes memory of the agent. */
  public void write(long address, byte[] bytes) throws IOException {
    for (int done = 0; done < bytes.length; ) {
      int part = Math.min(LARGEST_TRANSFER, bytes.length - done);
      call(Operation.WRITE, buffer(8 + part).putLong(address + done).put(bytes, done, part).flip());
      done += part;
    }
  }

  /**
   * One load instruction, zero-extended.
   *
   * @param width 1, 2, 4 or 8 bytes
   * @throws GuestFaultException if it faulted
   */
  public long load(long address, int width) throws IOException {
    return call(Operation.LOAD, buffer(12).putLong(address).putInt(width).flip()).getLong();
  }

  /**
   * One store instruction.
   *
   * @param width 1, 2, 4 or 8 bytes
   * @throws GuestFaultException if it faulted
   */
  public void store(long address, int width, long value) throws IOException {
    call(Operation.STORE, buffer(20).putLong(address).putInt(width).putLong(value).flip());
  }

  /**
   * Fills memory with the {@link Pattern} of a seed.
   *
   * @param address a multiple of 8
   * @param length in bytes, a multiple of 8
   */
  public void fill(long address, long length, long seed) throws IOException {
    call(Operation.FILL, buffer(24).putLong(address).putLong(length).putLong(seed).flip());
  }

  /**
   * The first word of memory that is not as {@link #fill} left it.
   *
   * @param offset of the word, in bytes
   * @param expected by the pattern
   * @param seen there
   */
  public record Mismatch(long offset, long expected, long seen) {
    @Override
    public String toString() {
      return "offset 0x%x: expected %016x, saw %016x".formatted(offset, expected, seen);
    }
  }

  /** Compares memory with the {@link Pattern} of a seed; empty if every byte is right. */
  public Optional<Mismatch> verify(long address, long length, long seed) throws IOException {
    ByteBuffer answer =
        call(Operation.VERIFY, buffer(24).putLong(address).putLong(length).putLong(seed).flip());
    Mismatch m = new Mismatch(answer.getLong(), answer.getLong(), answer.getLong());
    return m.offset == length ? Optional.empty() : Optional.of(m);
  }

  /** Sets every byte. */
  public void set(long address, long length, int value) throws IOException {
    call(Operation.SET, buffer(20).putLong(address).putLong(length).putInt(value & 0xff).flip());
  }

  /** The offset of the first byte that differs, or {@code length} if none does. */
  public long compare(long one, long other, long length) throws IOException {
    return call(Operation.COMPARE, buffer(24).putLong(one).putLong(other).putLong(length).flip())
        .getLong();
  }

  /** Times accesses in the guest. */
  public Stopwatch stopwatch() {
    return new Stopwatch(this);
  }

  /**
   * Starts a thread in the guest that loads one address over and over until it is stopped, at least
   * once.
   */
  public Poller startPoller(long address, int width) throws IOException {
    int id =
        call(Operation.POLLER_START, buffer(12).putLong(address).putInt(width).flip()).getInt();
    return new Poller(id);
  }

  /** A running poller. Closing stops it. */
  public final class Poller implements AutoCloseable {
    private final int id;
    private Polled result;

    private Poller(int id) {
      this.id = id;
    }

    /** Stops the thread; the same answer however often it is asked. */
    public Polled stop() throws IOException {
      if (result == null) {
        ByteBuffer answer = call(Operation.POLLER_STOP, buffer(4).putInt(id).flip());
        result =
            new Polled(
                answer.getLong(),
                answer.getLong(),
                Duration.ofNanos(answer.getLong()),
                answer.getInt());
      }
      return result;
    }

    @Override
    public void close() throws IOException {
      stop();
    }
  }

  /**
   * What a poller did.
   *
   * @param loads completed
   * @param last value seen
   * @param longest time of one load
   * @param signal number of the signal that ended it early, or 0
   */
  public record Polled(long loads, long last, Duration longest, int signal) {}

  /**
   * Waits for an eventfd and clears it.
   *
   * @return how often it was signalled, or empty if that did not happen in time
   */
  public Optional<Long> awaitEvent(int eventFd, Duration limit) throws IOException {
    return callWithTimeout(
            Operation.WAIT_EVENT,
            buffer(8).putInt(eventFd).putInt(Math.toIntExact(limit.toMillis())).flip(),
            limit)
        .map(ByteBuffer::getLong);
  }

  /**
   * Starts a program of the guest.
   *
   * @param stdio file or terminal for its standard input, output and error
   * @param arguments the program's path and its arguments
   * @return its process id
   */
  public int spawn(String stdio, List<String> arguments) throws IOException {
    List<byte[]> texts = new ArrayList<>();
    texts.add(stdio.getBytes(StandardCharsets.UTF_8));
    arguments.forEach(a -> texts.add(a.getBytes(StandardCharsets.UTF_8)));
    ByteBuffer b = buffer(4 + texts.stream().mapToInt(t -> 4 + t.length).sum());
    for (int i = 0; i < texts.size(); i++) {
      b.putInt(texts.get(i).length).put(texts.get(i));
      if (i == 0) {
        b.putInt(arguments.size());
      }
    }
    return call(Operation.SPAWN, b.flip()).getInt();
  }

  /**
   * Waits for a program: its exit status (128 + the signal if one killed it), or empty if it still
   * runs.
   */
  public Optional<Integer> awaitProgram(int pid, Duration limit) throws IOException {
    return callWithTimeout(
            Operation.WAIT_PROGRAM,
            buffer(8).putInt(pid).putInt(Math.toIntExact(limit.toMillis())).flip(),
            limit)
        .map(ByteBuffer::getInt)
        .map(s -> (s & 0x7f) != 0 ? 128 + (s & 0x7f) : s >> 8 & 0xff);
  }

  static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  ByteBuffer call(Operation operation, ByteBuffer payload) throws IOException {
    return call(operation, payload, LIMIT);
  }

  private ByteBuffer call(Operation operation, ByteBuffer payload, Duration limit)
      throws IOException {
    return payloadOf(operation, connection.call(operation.ordinal(), payload, limit));
  }

  Optional<ByteBuffer> callWithTimeout(Operation operation, ByteBuffer payload, Duration limit)
      throws IOException {
    AgentConnection.Response response =
        connection.call(operation.ordinal(), payload, limit.plus(LIMIT));
    return response.status() == STATUS_TIMEOUT
        ? Optional.empty()
        : Optional.of(payloadOf(operation, response));
  }

  private static ByteBuffer payloadOf(Operation operation, AgentConnection.Response response)
      throws IOException {
    ByteBuffer payload = response.payload();
    return switch (response.status()) {
      case STATUS_OK -> payload;
      case STATUS_FAULT -> {
        GuestFaultException.Signal signal = GuestFaultException.Signal.of(payload.getInt());
        payload.getInt();
        throw new GuestFaultException(signal, payload.getLong());
      }
      case STATUS_BAD_REQUEST ->
          throw new IllegalArgumentException("the agent refused " + operation);
      default -> throw new IOException("status " + response.status() + " from the guest agent");
    };
  }

  @Override
  public void close() throws IOException {
    connection.close();
  }

  @Override
  public String toString() {
    return "guest agent, arguments at " + Arrays.toString(new long[] {arena, arenaSize});
  }
}
