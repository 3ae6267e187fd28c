package dev.peerbar.bench.start;

import java.io.IOException;

/** The floor of a start: a program that is ready at once, and waits for its end of input. */
final class EmptyProgram {
  private EmptyProgram() {}

  /** Says that it is ready. */
  public static void main(String[] arguments) throws IOException {
    System.out.println("ready");
    while (System.in.read() >= 0) {
      // It ends when whoever started it does.
    }
  }
}
