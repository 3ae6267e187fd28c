package dev.peerbar.server.fuzz;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;
import org.slf4j.LoggerFactory;

/** Keeps what is logged as an error: what a client does is never one. */
final class ErrorLog implements AutoCloseable {
  private final Queue<String> errors = new ConcurrentLinkedQueue<>();
  private final List<Logger> loggers =
      Stream.of("dev.peerbar", "io.netty")
          .map(name -> (Logger) LoggerFactory.getLogger(name))
          .toList();
  private final AppenderBase<ILoggingEvent> appender =
      new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
          if (event.getLevel() == Level.ERROR) {
            errors.add(event.getFormattedMessage());
          }
        }
      };

  ErrorLog() {
    appender.start();
    loggers.forEach(logger -> logger.addAppender(appender));
  }

  List<String> all() {
    return List.copyOf(errors);
  }

  @Override
  public void close() {
    loggers.forEach(logger -> logger.detachAppender(appender));
  }
}
