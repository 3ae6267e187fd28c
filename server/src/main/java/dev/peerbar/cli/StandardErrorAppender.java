package dev.peerbar.cli;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.UnsynchronizedAppenderBase;
import ch.qos.logback.core.encoder.Encoder;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;

/**
 * Logs to standard error without waiting for it: it may be a pipe that nobody reads, and a server
 * must serve on. A thread of its own writes the lines. Those that there is no room for are left
 * out, and counted in their place.
 */
public final class StandardErrorAppender extends UnsynchronizedAppenderBase<ILoggingEvent> {
  /** Bytes of lines that may wait to be written. */
  static final int MOST_WAITING = 1 << 20;

  /** How long {@link #flush} waits for whoever reads. */
  private static final Duration FLUSH = Duration.ofSeconds(1);

  private final OutputStream output;
  private final Duration flush;
  private final Deque<Line> waiting = new ArrayDeque<>();
  private Encoder<ILoggingEvent> encoder;
  // All of these, and the lines, for who has the monitor of the lines.
  private int waitingBytes;
  private long leftOut;
  private boolean writing;

  /**
   * A line to be written.
   *
   * @param leftOut how many before it were not
   */
  private record Line(byte[] text, long leftOut) {}

  /** For the logging framework. */
  public StandardErrorAppender() {
    this(new FileOutputStream(FileDescriptor.err), FLUSH);
  }

  /**
   * @param flush how long {@link #flush} waits for whoever reads
   */
  StandardErrorAppender(OutputStream output, Duration flush) {
    this.output = output;
    this.flush = flush;
  }

  /** How a line is made of an event. Before {@link #start}. */
  public void setEncoder(Encoder<ILoggingEvent> encoder) {
    this.encoder = encoder;
  }

  @Override
  public void start() {
    Thread.ofPlatform().daemon().name("log").start(this::writeAll);
    Runtime.getRuntime()
        .addShutdownHook(Thread.ofPlatform().name("log-end").unstarted(this::flush));
    super.start();
  }

  @Override
  protected void append(ILoggingEvent event) {
    byte[] text = encoder.encode(event);
    synchronized (waiting) {
      if (waitingBytes + text.length > MOST_WAITING) {
        leftOut++;
        return;
      }
      waiting.add(new Line(text, leftOut));
      leftOut = 0;
      waitingBytes += text.length;
      waiting.notifyAll();
    }
  }

  private void writeAll() {
    try {
      while (true) {
        write(next());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Line next() throws InterruptedException {
    synchronized (waiting) {
      writing = false;
      waiting.notifyAll();
      while (waiting.isEmpty() && leftOut == 0) {
        waiting.wait();
      }
      writing = true;
      Line line = waiting.poll();
      if (line == null) {
        line = new Line(new byte[0], leftOut);
        leftOut = 0;
      }
      waitingBytes -= line.text.length;
      return line;
    }
  }

  private void write(Line line) {
    try {
      if (line.leftOut > 0) {
        String gap = "%d lines are missing here: nobody read them%n".formatted(line.leftOut);
        output.write(gap.getBytes(StandardCharsets.UTF_8));
      }
      output.write(line.text);
      output.flush();
    } catch (IOException _) {
      // Nobody reads any more, and so there is nobody to tell.
    }
  }

  /** Waits until what was logged by now is written, but no longer than a second. */
  void flush() {
    long deadline = System.nanoTime() + flush.toNanos();
    synchronized (waiting) {
      while (writing || !waiting.isEmpty() || leftOut > 0) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          return;
        }
        try {
          TimeUnit.NANOSECONDS.timedWait(waiting, left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return;
        }
      }
    }
  }

  @Override
  public void stop() {
    super.stop();
    flush();
  }
}
