package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

final class FunctionLogTest {
  private final AtomicLong clock = new AtomicLong(Long.MAX_VALUE - 5);
  private final FunctionLog log = new FunctionLog("hbm0", clock::get);
  private final ListAppender<ILoggingEvent> appender = new ListAppender<>();
  private final Logger logger = (Logger) LoggerFactory.getLogger(ServedFunction.class);

  @BeforeEach
  void listen() {
    appender.start();
    logger.addAppender(appender);
    logger.setLevel(Level.INFO);
    logger.setAdditive(false);
  }

  @AfterEach
  void stop() {
    logger.detachAppender(appender);
    logger.setLevel(null);
    logger.setAdditive(true);
  }

  private List<String> lines() {
    return appender.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
  }

  private void pass(long seconds) {
    clock.addAndGet(TimeUnit.SECONDS.toNanos(seconds));
  }

  @Test
  void aFloodIsCutAndCounted() {
    for (int i = 0; i < 1000; i++) {
      log.refused("DMA_MAP refused", "EINVAL", "line " + i);
    }
    assertThat(lines()).hasSize(FunctionLog.BURST);
    assertThat(lines().getLast()).isEqualTo("hbm0: DMA_MAP refused with EINVAL: line 63");
    pass(FunctionLog.INTERVAL_SECONDS);
    log.warn("later");
    log.warn("at once");
    assertThat(lines()).hasSize(FunctionLog.BURST + 1);
    assertThat(lines().getLast()).isEqualTo("hbm0: later (and 936 lines before this one)");
  }

  @Test
  void quietTimesAreNotSavedUpWithoutEnd() {
    pass(1_000_000);
    for (int i = 0; i < 1000; i++) {
      log.warn("line");
    }
    assertThat(lines()).hasSize(FunctionLog.BURST);
  }

  @Test
  void aFloodOfNewsHidesNoWarning() {
    for (int i = 0; i < 1000; i++) {
      log.info("reset");
    }
    log.warn("trouble");
    assertThat(lines()).hasSize(FunctionLog.BURST + 1).endsWith("hbm0: trouble");
  }

  @Test
  void lettersOfAnyScriptStayAndControlsDoNot() {
    assertThat(FunctionLog.printable("Größe 日本 %s {}")).isEqualTo("Größe 日本 %s {}");
    assertThat(FunctionLog.printable("a\nb\tc\u001b[0m\u0085\u2029\u202e\ufeff"))
        .isEqualTo("a\\u000ab\\u0009c\\u001b[0m\\u0085\\u2029\\u202e\\ufeff");
    assertThat(FunctionLog.printable("x".repeat(5000))).hasSize(FunctionLog.LONGEST + 1);
  }

  @Test
  void wordsOfTheClientAreNoFormat() {
    log.warn("%s", "%d {}");
    assertThat(lines()).containsExactly("hbm0: %d {}");
  }
}
