package dev.peerbar.server.trace;

import dev.peerbar.server.events.Observers;
import dev.peerbar.server.events.TraceEvent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes what happens to a file, from {@link #open} to {@link #close}. The threads that serve only
 * queue what they did; a thread of its own writes it, whole events at a time, a moment later. So
 * what is written by the time the process is killed can be read.
 *
 * <p>A file that takes no more ends the tracing and nothing else. If it is too slow, events are
 * left out, and the trace says how many and where.
 */
public final class TraceFile implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(TraceFile.class);

  /** Events that may wait to be written: some ten megabytes. */
  private static final int MOST_WAITING = 1 << 16;

  /** Events of one write. */
  private static final int MOST_AT_ONCE = 1 << 10;

  /** Nobody who serves is to spend time on waking the writer: it looks by itself. */
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private static final long CLOSE_SECONDS = 10;

  private final Path path;
  private final FileChannel file;
  private final BlockingQueue<TraceEvent> waiting = new ArrayBlockingQueue<>(MOST_WAITING);
  private final AtomicLong lost = new AtomicLong();
  private final Consumer<TraceEvent> observer = this::take;
  private final ByteArrayOutputStream buffer = new ByteArrayOutputStream();
  private final TraceFormat format;
  private final Thread writer = Thread.ofPlatform().daemon().name("trace").unstarted(this::run);
  private volatile boolean closing;
  // How much of the file is whole events: the writer's thread only.
  private long whole;
  private boolean toldOfLoss;

  private TraceFile(Path path, FileChannel file) throws IOException {
    this.path = path;
    this.file = file;
    this.format = new TraceFormat(buffer, System.nanoTime());
  }

  /**
   * Begins to trace everything that this process serves.
   *
   * @param path made, or emptied
   * @throws IOException if it cannot be written
   * @throws IllegalStateException if this process is traced already
   */
  @SuppressWarnings("resource") // It is the trace's to close.
  public static TraceFile open(Path path) throws IOException {
    TraceFile trace =
        new TraceFile(
            path,
            FileChannel.open(
                path,
                StandardOpenOption.WRITE,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING));
    Observers.observe(trace.observer);
    trace.writer.start();
    return trace;
  }

  private void take(TraceEvent event) {
    if (!waiting.offer(event)) {
      lost.incrementAndGet();
    }
  }

  private void run() {
    try (file) {
      try {
        writeAll();
        format.end();
        writeOut();
      } catch (IOException e) {
        log.warn("tracing to {} ends here: {}", path, e.getMessage());
        file.truncate(whole);
      } catch (RuntimeException | Error e) {
        log.error("tracing to {} ends here", path, e);
        file.truncate(whole);
      }
    } catch (IOException e) {
      log.debug("{} stays as it is: {}", path, e.getMessage());
    } finally {
      Observers.leave(observer);
      waiting.clear();
    }
  }

  private void writeAll() throws IOException {
    List<TraceEvent> batch = new ArrayList<>(MOST_AT_ONCE);
    boolean last;
    do {
      // In this order: what was there when closing began is written.
      last = closing;
      while (waiting.drainTo(batch, MOST_AT_ONCE) > 0) {
        for (TraceEvent event : batch) {
          format.write(event);
        }
        batch.clear();
        reportLost();
        format.flush();
        writeOut();
      }
      if (!last) {
        LockSupport.parkNanos(PAUSE_NANOS);
      }
    } while (!last);
  }

  private void reportLost() throws IOException {
    long count = lost.getAndSet(0);
    if (count > 0) {
      format.gap(count, System.nanoTime());
      if (!toldOfLoss) {
        log.warn("{} cannot be written fast enough: events are missing", path);
        toldOfLoss = true;
      }
    }
  }

  private void writeOut() throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(buffer.toByteArray());
    buffer.reset();
    while (bytes.hasRemaining()) {
      file.write(bytes);
    }
    whole += bytes.limit();
  }

  /** Writes what has happened so far and ends the file. Bounded in time. */
  @Override
  public void close() {
    Observers.leave(observer);
    closing = true;
    LockSupport.unpark(writer);
    try {
      writer.join(TimeUnit.SECONDS.toMillis(CLOSE_SECONDS));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
