package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class StandardErrorAppenderTest {
  private final LoggerContext context = new LoggerContext();
  private final Pipe pipe = new Pipe();

  @AfterEach
  void stop() {
    pipe.open.countDown();
    context.stop();
  }

  private static final Duration LIMIT = Duration.ofSeconds(60);

  /** Takes nothing until it is open. */
  private static final class Pipe extends OutputStream {
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch open = new CountDownLatch(1);
    private final ByteArrayOutputStream taken = new ByteArrayOutputStream();

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      asked.countDown();
      try {
        open.await();
      } catch (InterruptedException e) {
        throw new InterruptedIOException();
      }
      synchronized (this) {
        taken.write(bytes, offset, length);
      }
    }

    synchronized List<String> lines() {
      return taken.toString(StandardCharsets.UTF_8).lines().toList();
    }
  }

  private Logger logger(StandardErrorAppender appender) {
    PatternLayoutEncoder encoder = new PatternLayoutEncoder();
    encoder.setContext(context);
    encoder.setPattern("%level %msg%n");
    encoder.start();
    appender.setContext(context);
    appender.setEncoder(encoder);
    appender.start();
    Logger logger = context.getLogger("test");
    logger.setLevel(Level.INFO);
    logger.addAppender(appender);
    return logger;
  }

  @Test
  void whoLogsDoesNotWaitAndWhatIsLeftOutIsCounted() throws Exception {
    StandardErrorAppender appender = new StandardErrorAppender(pipe, LIMIT);
    Logger logger = logger(appender);
    final int lines = 40_000;
    String text = "x".repeat(90);
    logger.info("{} {}", 0, text);
    // It takes a line out of those that wait, and no other before the pipe is open.
    assertThat(pipe.asked.await(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    for (int i = 1; i < lines; i++) {
      logger.info("{} {}", i, text);
    }
    assertThat(pipe.lines()).isEmpty();
    pipe.open.countDown();
    appender.flush();
    logger.info("the last");
    appender.flush();
    List<String> written = pipe.lines();
    int whole = written.size() - 2;
    assertThat(whole).isBetween(1 + StandardErrorAppender.MOST_WAITING / 110, lines / 2);
    for (int i = 0; i < whole; i++) {
      assertThat(written.get(i)).isEqualTo("INFO %d %s".formatted(i, text));
    }
    assertThat(written.get(whole))
        .isEqualTo("%d lines are missing here: nobody read them".formatted(lines - whole));
    assertThat(written.getLast()).isEqualTo("INFO the last");
  }

  @Test
  void stoppingWritesWhatWasLogged() {
    Logger logger = logger(new StandardErrorAppender(pipe, LIMIT));
    pipe.open.countDown();
    for (int i = 0; i < 1000; i++) {
      logger.warn("{}", i);
    }
    context.stop();
    assertThat(pipe.lines()).hasSize(1000).endsWith("WARN 999");
  }

  @Test
  void stoppingDoesNotWaitForWhoNeverReads() {
    Logger logger = logger(new StandardErrorAppender(pipe, Duration.ofMillis(10)));
    logger.warn("nobody reads this");
    context.stop();
    assertThat(pipe.lines()).isEmpty();
  }
}
