package dev.peerbar.lab.guest;

import static dev.peerbar.lab.guest.GuestCalls.buffer;

import dev.peerbar.linux.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * The agent in the guest: raw system calls, loads and stores, bulk work on guest memory.
 *
 * <p>Addresses are virtual addresses of the agent's process. May be used from any thread, by many
 * at a time: calls run side by side in the guest, up to {@link #mostUnderWay}, each on a thread of
 * its own there; one more is a {@link GuestBusyException}. A call throws {@link
 * GuestCallTimeoutException} if the guest does not answer it in time, and {@link
 * java.io.InterruptedIOException} if its thread is interrupted, whose status stays set. Neither
 * ends what the guest does, and both leave the agent as it is for other calls. {@link
 * GuestGoneException} is the end of them all.
 *
 * <p>What belongs to a thread in Linux (credentials, affinity, signal masks) belongs to one of many
 * here, and the next call may be another's.
 */
public final class GuestAgent implements AutoCloseable {
  private static final int PROTOCOL_VERSION = 3;
  private static final int LARGEST_TRANSFER = 1 << 20;
  private static final int CLD_EXITED = 1;
  private static final int KILLED = 128;
  private static final int WNOHANG = 1;
  private static final Duration RETRY = Duration.ofMillis(20);

  private final GuestCalls calls;
  private final int pageSize;
  private final ArgumentArena arena;
  private final int mostUnderWay;

  private GuestAgent(AgentConnection connection, Duration limit) throws IOException {
    calls = new GuestCalls(connection);
    ByteBuffer hello = call(Operation.HELLO, buffer(0), "hello").within(limit).make(b -> b);
    int version = hello.getInt();
    if (version != PROTOCOL_VERSION) {
      throw new IOException("the guest agent speaks version " + version);
    }
    pageSize = hello.getInt();
    arena = new ArgumentArena(hello.getLong(), hello.getLong());
    mostUnderWay = hello.getInt();
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
        return new GuestAgent(connection, Duration.ofNanos(Math.max(0, end - System.nanoTime())));
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

  /** How many calls can be under way in the guest. */
  public int mostUnderWay() {
    return mostUnderWay;
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

    @Override
    public String toString() {
      return "%s (%s in the guest)".formatted(Words.ofNumber(value), Words.of(took));
    }
  }

  /**
   * Makes a system call.
   *
   * @throws GuestErrnoException if the kernel refused it; {@link Argument.InOut} and {@link
   *     Argument.Out} hold what it left behind in this case too
   */
  public Result syscall(Syscall call, Argument... arguments) throws IOException {
    return syscall(call.toString(), call, GuestCalls.LIMIT, arguments);
  }

  /** The same with a name for messages and a limit for a call that takes long. */
  Result syscall(String name, Syscall call, Duration limit, Argument... arguments)
      throws IOException {
    if (arguments.length > 6) {
      throw new IllegalArgumentException("more than six arguments");
    }
    GuestCall what = GuestCall.of(call, name, arguments);
    long size = 0;
    for (Argument argument : arguments) {
      size += ArgumentArena.aligned(lengthOf(argument));
    }
    ArgumentArena.Part room = take(what, size);
    long[] values = new long[6];
    List<LaidOut> laidOut = new ArrayList<>();
    long at = room.address();
    for (int i = 0; i < arguments.length; i++) {
      values[i] = at;
      switch (arguments[i]) {
        case Argument.Immediate(long value) -> values[i] = value;
        case Argument.In(byte[] bytes) -> laidOut.add(new LaidOut(at, bytes, true, false));
        case Argument.Out(byte[] bytes) -> laidOut.add(new LaidOut(at, bytes, false, true));
        case Argument.InOut(byte[] bytes) -> laidOut.add(new LaidOut(at, bytes, true, true));
      }
      at += ArgumentArena.aligned(lengthOf(arguments[i]));
    }
    return calls
        .call(what, encode(call, values, laidOut))
        .within(limit)
        .whenOver(room::giveBack)
        .make(answer -> result(name, answer, laidOut));
  }

  private static int lengthOf(Argument argument) {
    return switch (argument) {
      case Argument.Immediate _ -> 0;
      case Argument.In(byte[] bytes) -> bytes.length;
      case Argument.Out(byte[] bytes) -> bytes.length;
      case Argument.InOut(byte[] bytes) -> bytes.length;
    };
  }

  private ArgumentArena.Part take(GuestCall call, long size) throws IOException {
    if (size > arena.size()) {
      throw new IllegalArgumentException("arguments of " + Words.ofBytes(size));
    }
    Optional<ArgumentArena.Part> part = arena.take(size);
    if (part.isEmpty()) {
      throw new GuestBusyException(call, "the calls under way use the memory for arguments");
    }
    return part.get();
  }

  private static Result result(String name, ByteBuffer answer, List<LaidOut> laidOut)
      throws IOException {
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
    return b;
  }

  /**
   * Memory of the agent to lay out by hand what arguments point to.
   *
   * @param length in bytes
   * @throws GuestBusyException if there is none left
   */
  public Scratch scratch(int length) throws IOException {
    GuestCall what = GuestCall.of(Operation.SYSCALL, () -> "a call");
    ArgumentArena.Part part = take(what, length);
    return new Scratch(this, part.address(), length, () -> calls.afterThoseGivenUp(part::giveBack));
  }

  /** Reads memory of the agent. */
  public byte[] read(long address, int length) throws IOException {
    byte[] bytes = new byte[length];
    for (int done = 0; done < length; ) {
      int part = Math.min(LARGEST_TRANSFER, length - done);
      long from = address + done;
      call(Operation.READ, buffer(12).putLong(from).putInt(part), "read", part, from)
          .make(b -> b)
          .get(bytes, done, part);
      done += part;
    }
    return bytes;
  }

  /** Writes memory of the agent. */
  public void write(long address, byte[] bytes) throws IOException {
    for (int done = 0; done < bytes.length; ) {
      int part = Math.min(LARGEST_TRANSFER, bytes.length - done);
      long to = address + done;
      call(Operation.WRITE, buffer(8 + part).putLong(to).put(bytes, done, part), "write", part, to)
          .make();
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
    return call(Operation.LOAD, buffer(12).putLong(address).putInt(width), "load", width, address)
        .make(ByteBuffer::getLong);
  }

  /**
   * One store instruction.
   *
   * @param width 1, 2, 4 or 8 bytes
   * @throws GuestFaultException if it faulted
   */
  public void store(long address, int width, long value) throws IOException {
    ByteBuffer request = buffer(20).putLong(address).putInt(width).putLong(value);
    call(Operation.STORE, request, "store", width, address).make();
  }

  /**
   * Fills memory with the {@link Pattern} of a seed.
   *
   * @param address a multiple of 8
   * @param length in bytes, a multiple of 8
   */
  public void fill(long address, long length, long seed) throws IOException {
    ByteBuffer request = buffer(24).putLong(address).putLong(length).putLong(seed);
    call(Operation.FILL, request, "fill", length, address).make();
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
    ByteBuffer request = buffer(24).putLong(address).putLong(length).putLong(seed);
    return call(Operation.VERIFY, request, "verify", length, address)
        .make(b -> {
          Mismatch m = new Mismatch(b.getLong(), b.getLong(), b.getLong());
          return m.offset == length ? Optional.empty() : Optional.of(m);
        });
  }

  /** Sets every byte. */
  public void set(long address, long length, int value) throws IOException {
    ByteBuffer request = buffer(20).putLong(address).putLong(length).putInt(value & 0xff);
    call(Operation.SET, request, "set", length, address).make();
  }

  /** The offset of the first byte that differs, or {@code length} if none does. */
  public long compare(long one, long other, long length) throws IOException {
    ByteBuffer request = buffer(24).putLong(one).putLong(other).putLong(length);
    return call(Operation.COMPARE, request, "compare", length, one).make(ByteBuffer::getLong);
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
    ByteBuffer request = buffer(12).putLong(address).putInt(width);
    return new Poller(
        call(Operation.POLLER_START, request, "poll", width, address).make(ByteBuffer::getInt));
  }

  /** A running poller. Closing stops it. */
  public final class Poller implements AutoCloseable {
    private final int id;
    private Polled result;

    private Poller(int id) {
      this.id = id;
    }

    /** Stops the thread after one more load; the same answer however often it is asked. */
    public synchronized Polled stop() throws IOException {
      if (result == null) {
        result =
            call(Operation.POLLER_STOP, buffer(4).putInt(id), "stop poller " + id)
                .make(b ->
                    new Polled(
                        b.getLong(), b.getLong(), Duration.ofNanos(b.getLong()), b.getInt()));
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
    int most = Math.toIntExact(limit.toMillis());
    return call(
            Operation.WAIT_EVENT,
            buffer(8).putInt(eventFd).putInt(most),
            "wait for event " + eventFd)
        .within(limit.plus(GuestCalls.LIMIT))
        .make(b -> Optional.of(b.getLong()), Optional.empty());
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
    return call(Operation.SPAWN, b, "spawn " + String.join(" ", arguments))
        .make(ByteBuffer::getInt);
  }

  /**
   * Waits for a program: its exit status (128 + the signal if one killed it), or empty if it still
   * runs. Whoever has got the status is the last to ask for it.
   */
  public Optional<Integer> awaitProgram(int pid, Duration limit) throws IOException {
    int most = Math.toIntExact(limit.toMillis());
    Optional<Integer> status =
        call(Operation.WAIT_PROGRAM, buffer(8).putInt(pid).putInt(most), "wait for program " + pid)
            .within(limit.plus(GuestCalls.LIMIT))
            .make(
                b -> Optional.of(b.getInt() == CLD_EXITED ? b.getInt() : KILLED + b.getInt()),
                Optional.empty());
    if (status.isPresent()) {
      reap(pid);
    }
    return status;
  }

  // Not by the wait itself: one that was given up would take the status away from the next.
  private void reap(int pid) throws IOException {
    try {
      syscall(
          Syscall.WAIT4, Argument.of(pid), Argument.of(0), Argument.of(WNOHANG), Argument.of(0));
    } catch (GuestErrnoException e) {
      if (!e.is(Errno.ECHILD)) { // somebody else who waited was faster
        throw e;
      }
    }
  }

  /** The last calls, oldest first, and all that are under way. */
  public List<CallRecord> history() {
    return calls.history().records();
  }

  /** Remembers every call from the next one on, as far as there is room, for {@link #tracked}. */
  public void track() {
    calls.history().track();
  }

  /** The calls since {@link #track}, those that are alike as one. */
  public List<CallRun> tracked() {
    return calls.history().tracked();
  }

  /** How many calls since {@link #track} are not in {@link #tracked}: the first. */
  public long untracked() {
    return calls.history().untracked();
  }

  /**
   * The calls that are under way in the guest now, the one that began first first: its threads, and
   * where they are in its kernel.
   */
  public List<GuestThread> underWay() throws IOException {
    ByteBuffer answer = call(Operation.UNDER_WAY, buffer(0), "what is under way").make(b -> b);
    List<GuestThread> threads = new ArrayList<>();
    int count = answer.getInt();
    for (int i = 0; i < count; i++) {
      Optional<CallRecord> call = calls.history().underWay(answer.getInt());
      int thread = answer.getInt();
      Duration since = Duration.ofNanos(answer.getLong());
      ByteBuffer state =
          call(Operation.THREAD_STATE, buffer(4).putInt(thread), "where is thread " + thread)
              .make(b -> b);
      if (call.isPresent()) { // it may just have ended
        threads.add(
            new GuestThread(thread, call.get(), since, text(state), text(state), text(state)));
      }
    }
    threads.sort(Comparator.comparing(GuestThread::since).reversed());
    return List.copyOf(threads);
  }

  private static String text(ByteBuffer from) {
    byte[] bytes = new byte[from.getInt()];
    from.get(bytes);
    return new String(bytes, StandardCharsets.UTF_8).strip();
  }

  GuestCalls calls() {
    return calls;
  }

  GuestCalls.Call call(Operation operation, ByteBuffer payload, String words) {
    return calls.call(GuestCall.of(operation, () -> words), payload);
  }

  GuestCalls.Call call(
      Operation operation, ByteBuffer payload, String verb, long length, long address) {
    GuestCall what =
        GuestCall.of(
            operation, () -> "%s %s at 0x%x".formatted(verb, Words.ofBytes(length), address));
    return calls.call(what, payload);
  }

  @Override
  public void close() {
    calls.close();
  }
}
