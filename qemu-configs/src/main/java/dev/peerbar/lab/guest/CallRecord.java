package dev.peerbar.lab.guest;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;

/**
 * What became of a call, as far as it is known now.
 *
 * @param number of the call, from 1
 * @param thread the host's thread that made it
 * @param call what it does, such as {@code ioctl VFIO_DEVICE_RESET fd 7}
 * @param began by the host's clock
 * @param state whether it has ended, and been waited for
 * @param outcome what it gave: a value, or an exception's message; empty in the state {@code
 *     UNDER_WAY}
 * @param took from its beginning until its caller had the outcome; until now if it is under way
 * @param answered from its beginning until the guest had answered; until now if it has not
 */
public record CallRecord(
    long number,
    String thread,
    String call,
    Instant began,
    State state,
    String outcome,
    Duration took,
    Duration answered) {
  private static final DateTimeFormatter CLOCK =
      DateTimeFormatter.ofPattern("HH:mm:ss.SSS").withZone(ZoneId.systemDefault());

  /** How far a call is. */
  public enum State {
    /** Its caller waits for it. */
    UNDER_WAY,
    /** Its caller has the outcome. */
    ENDED,
    /** Its caller waits no more, by a time-out or an interrupt; the guest still works on it. */
    GIVEN_UP,
    /** Its caller had given up; the guest answered later. */
    ANSWERED_LATE
  }

  /** Whether the guest may be working on it. */
  public boolean underWay() {
    return state == State.UNDER_WAY || state == State.GIVEN_UP;
  }

  /** One line. */
  @Override
  public String toString() {
    String ending =
        switch (state) {
          case UNDER_WAY -> "under way for " + Words.of(answered);
          case ENDED -> outcome + " after " + Words.of(took);
          case GIVEN_UP -> outcome + "; still under way after " + Words.of(answered);
          case ANSWERED_LATE -> outcome + "; answered after " + Words.of(answered);
        };
    return "%s #%d [%s] %s: %s".formatted(CLOCK.format(began), number, thread, call, ending);
  }
}
