package dev.peerbar.server.function;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * What is logged of one function. Each line begins with its name.
 *
 * <p>Clients decide what happens and say some of the words, so lines are limited in number, however
 * often clients connect, and in length, and have no character that would end the line or control a
 * terminal. What is left out is counted in the next line. For any thread.
 */
public final class FunctionLog {
  /** Lines of a level at once. */
  static final int BURST = 64;

  /** What a line more takes. */
  static final long INTERVAL_SECONDS = 10;

  /** Longer lines are cut. In characters. */
  static final int LONGEST = 400;

  private static final Logger log = LoggerFactory.getLogger(ServedFunction.class);

  private final String name;
  private final LogLimit news;
  private final LogLimit warnings;

  FunctionLog(String name) {
    this(name, System::nanoTime);
  }

  FunctionLog(String name, LongSupplier nanoClock) {
    this.name = name;
    news = new LogLimit(BURST, TimeUnit.SECONDS.toNanos(INTERVAL_SECONDS), nanoClock);
    warnings = new LogLimit(BURST, TimeUnit.SECONDS.toNanos(INTERVAL_SECONDS), nanoClock);
  }

  /** Something that happens. */
  public void info(String format, Object... arguments) {
    write(Level.INFO, news, format, arguments);
  }

  /** Something that should not happen. */
  public void warn(String format, Object... arguments) {
    write(Level.WARN, warnings, format, arguments);
  }

  /**
   * A request that was refused, or a connection that had to end.
   *
   * @param what the command, and what happened to it
   */
  public void refused(String what, String errno, String why) {
    warn("%s with %s: %s", what, errno, why);
  }

  /** Something went wrong that nobody foresaw. */
  public void failed(String what, Throwable cause) {
    warn("%s: %s", what, cause);
    log.debug("{}: {}", name, printable(what), cause);
  }

  private synchronized void write(Level level, LogLimit limit, String format, Object... arguments) {
    if (!log.isEnabledForLevel(level)) {
      return;
    }
    boolean allowed = limit.allows();
    if (!allowed && !log.isDebugEnabled()) {
      return;
    }
    String line = printable(format.formatted(arguments));
    if (!allowed) {
      log.debug("{}: {}", name, line);
      return;
    }
    long leftOut = limit.takeLeftOut();
    String more = leftOut == 0 ? "" : " (and %d lines before this one)".formatted(leftOut);
    log.atLevel(level).log("{}: {}{}", name, line, more);
  }

  /** In one line, of characters that are nothing but themselves. */
  static String printable(String text) {
    StringBuilder line = new StringBuilder();
    int length = Math.min(text.length(), LONGEST);
    for (int i = 0; i < length; i++) {
      char c = text.charAt(i);
      switch (Character.getType(c)) {
        case Character.CONTROL,
            Character.FORMAT,
            Character.LINE_SEPARATOR,
            Character.PARAGRAPH_SEPARATOR,
            Character.SURROGATE,
            Character.PRIVATE_USE,
            Character.UNASSIGNED ->
            line.append("\\u%04x".formatted((int) c));
        default -> line.append(c);
      }
    }
    return length < text.length() ? line + "…" : line.toString();
  }
}
