package dev.peerbar.devices.gpu;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which commands the device is late to answer, for those who test what a driver makes of that. What
 * a command asks for is done at once all the same: a backing whose detachment is yet to be answered
 * is detached. For any thread.
 *
 * <p>Answers of a queue are given in the order of its commands, as fences need it (Virtual I/O
 * Device 1.3, 5.7.6.5), so what comes behind a late one is late too. The time of an answer begins
 * when all before it have been given. A reset, of the device or of the queue, forgets what is still
 * to be answered.
 */
public final class AnswerDelays {
  /** As {@link #delay}: there will be no answer, nor one of any command behind. */
  public static final Duration NEVER = Duration.ofSeconds(Long.MAX_VALUE);

  private final Map<CommandType, Duration> delays = new ConcurrentHashMap<>();

  /**
   * Has commands of a type be answered late, from those on that are carried out next.
   *
   * @param by how much, more than zero; another time takes the place of the last one
   */
  public void delay(CommandType type, Duration by) {
    if (!by.isPositive()) {
      throw new IllegalArgumentException("an answer delayed by %s".formatted(by));
    }
    delays.put(type, by);
  }

  /** Has commands that are carried out from now on be answered at once. */
  public void clear() {
    delays.clear();
  }

  /** Zero if there is none. */
  Duration of(CommandType type) {
    return delays.getOrDefault(type, Duration.ZERO);
  }
}
