package dev.peerbar.lab.guest;

import dev.peerbar.lab.uapi.Ioctl;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A call of the guest's agent: a system call, an access, or work on memory. It is known by what it
 * does, for a {@link Race} to choose it by, and says so in few words, such as {@code ioctl
 * VFIO_DEVICE_RESET fd 7}.
 */
public final class GuestCall {
  /** A text of the call's is quoted; what is longer is data, and only its length is told. */
  private static final int LONGEST_TEXT = 128;

  private static final int REQUEST = 1;

  private final Operation operation;
  private final Syscall syscall;
  private final long request;
  private final Supplier<String> words;

  private GuestCall(Operation operation, Syscall syscall, long request, Supplier<String> words) {
    this.operation = operation;
    this.syscall = syscall;
    this.request = request;
    this.words = words;
  }

  /** An operation of the agent's own. */
  static GuestCall of(Operation operation, Supplier<String> words) {
    return new GuestCall(operation, null, 0, words);
  }

  /**
   * A system call.
   *
   * @param name what it is about, which says more than the arguments; or the system call's name
   */
  static GuestCall of(Syscall syscall, String name, Argument... arguments) {
    long request = 0;
    if (syscall == Syscall.IOCTL
        && arguments.length > REQUEST
        && arguments[REQUEST] instanceof Argument.Immediate(long number)) {
      request = number;
    }
    List<Object> brief = new ArrayList<>();
    for (Argument argument : arguments) {
      brief.add(brief(argument));
    }
    return new GuestCall(Operation.SYSCALL, syscall, request, () -> words(syscall, name, brief));
  }

  /** Whether it is this system call. */
  public boolean is(Syscall call) {
    return syscall == call;
  }

  /** Whether it is this ioctl. */
  public boolean is(Ioctl ioctl) {
    return syscall == Syscall.IOCTL && request == ioctl.number();
  }

  /** Chooses loads: one load instruction each. */
  public static Predicate<GuestCall> load() {
    return call -> call.operation == Operation.LOAD;
  }

  /** Chooses stores: one store instruction each. */
  public static Predicate<GuestCall> store() {
    return call -> call.operation == Operation.STORE;
  }

  /** Chooses every call but system calls: accesses, and work on memory, of any length. */
  public static Predicate<GuestCall> access() {
    return call -> call.operation != Operation.SYSCALL;
  }

  /**
   * Whether it is the same operation as another, whatever on; or the same system call on the same.
   */
  boolean isLike(GuestCall other) {
    return operation == other.operation
        && syscall == other.syscall
        && request == other.request
        && (syscall == null || toString().equals(other.toString()));
  }

  Operation operation() {
    return operation;
  }

  // What is kept of an argument for as long as the call is remembered.
  private static Object brief(Argument argument) {
    return switch (argument) {
      case Argument.Immediate(long value) -> value;
      case Argument.In(byte[] bytes) when bytes.length <= LONGEST_TEXT && isText(bytes) ->
          "\""
              + new String(bytes, 0, bytes.length - 1, java.nio.charset.StandardCharsets.UTF_8)
              + "\"";
      case Argument.In(byte[] bytes) -> Words.ofBytes(bytes.length);
      case Argument.Out(byte[] bytes) -> "room for " + Words.ofBytes(bytes.length);
      case Argument.InOut(byte[] bytes) -> Words.ofBytes(bytes.length);
    };
  }

  private static boolean isText(byte[] bytes) {
    for (int i = 0; i < bytes.length - 1; i++) {
      if (bytes[i] >= 0 && bytes[i] < ' ') {
        return false;
      }
    }
    return bytes.length > 0 && bytes[bytes.length - 1] == 0;
  }

  private static String words(Syscall syscall, String name, List<Object> arguments) {
    return switch (syscall) {
      case IOCTL -> "ioctl %s fd %s%s".formatted(name, arguments.get(0), value(arguments.get(2)));
      case MMAP -> mmap(arguments);
      case MUNMAP -> "munmap %s at %s".formatted(bytes(arguments.get(1)), hex(arguments.get(0)));
      case CLOSE -> "close fd " + arguments.getFirst();
      default -> name.contains(" ") ? name : name + list(arguments);
    };
  }

  private static String mmap(List<Object> arguments) {
    Object fd = arguments.get(4);
    return fd.equals(-1L)
        ? "mmap %s of memory".formatted(bytes(arguments.get(1)))
        : "mmap %s of fd %s at %s".formatted(bytes(arguments.get(1)), fd, hex(arguments.get(5)));
  }

  private static String value(Object argument) {
    return argument instanceof Long value && value != 0 ? ", " + Words.ofNumber(value) : "";
  }

  private static String bytes(Object length) {
    return Words.ofBytes((long) length);
  }

  private static String hex(Object value) {
    return "0x" + Long.toHexString((long) value);
  }

  private static String list(List<Object> arguments) {
    return arguments.stream()
        .map(a -> a instanceof Long value ? Words.ofNumber(value) : a.toString())
        .collect(Collectors.joining(", ", "(", ")"));
  }

  /** Such as {@code mmap 64 MiB of fd 9 at 0x20000000000}. */
  @Override
  public String toString() {
    return words == null ? operation.name().toLowerCase(Locale.ROOT) : words.get();
  }
}
