package dev.peerbar.lab.guest;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** An argument of a system call in the guest. */
public sealed interface Argument {
  /** A number, a file descriptor, or an address of the agent's process. */
  record Immediate(long value) implements Argument {}

  /** A pointer to these bytes. */
  record In(byte[] bytes) implements Argument {}

  /** A pointer to room for this many bytes, whose contents come back. */
  record Out(byte[] bytes) implements Argument {}

  /** A pointer to these bytes, which are replaced by what the call left there. */
  record InOut(byte[] bytes) implements Argument {}

  static Argument of(long value) {
    return new Immediate(value);
  }

  /** A pointer to a NUL-terminated string. */
  static Argument text(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return new In(Arrays.copyOf(bytes, bytes.length + 1));
  }

  static Argument in(byte[] bytes) {
    return new In(bytes);
  }

  static Argument out(byte[] bytes) {
    return new Out(bytes);
  }

  static Argument inOut(byte[] bytes) {
    return new InOut(bytes);
  }
}
