package dev.peerbar.scenario;

/**
 * One reason why a scenario failed.
 *
 * @param kind of reason
 * @param text what was seen, in one line or several
 */
public record Problem(Kind kind, String text) {

  /** Kinds of reasons. */
  public enum Kind {
    /** Something else was seen than was expected. */
    UNEXPECTED("saw"),
    /** It could not be done. */
    ERROR("could not be done"),
    /** It did not end in its time. */
    TIME_LIMIT("did not end in time"),
    /** There is no guest, or no longer. */
    NO_GUEST("no guest"),
    /** It left something behind. */
    LEFT_BEHIND("left behind"),
    /** The guest's kernel or QEMU complained. */
    COMPLAINT("complaint");

    private final String words;

    Kind(String words) {
      this.words = words;
    }

    /** What people call it. */
    public String words() {
      return words;
    }
  }

  @Override
  public String toString() {
    return kind.words + ": " + text;
  }
}
