package dev.peerbar.devices.nvme.queue;

/**
 * Who looks at shadow doorbells and when, one at a time, and whether the host has been told to
 * ring. Guarded by the {@link Arbiter}.
 */
final class ShadowPolls {
  private boolean inUse;
  private boolean underWay;
  private boolean wanted;

  /** Whether the host has rung for commands since the last poll began; and before that. */
  private boolean rung;

  private boolean rungBefore;

  /** Whether somebody waits for the end of a poll, so that none begins. */
  private boolean setUpWaits;

  /** Whether the host rings for whatever it adds. */
  private boolean armed;

  /** How often something happened that the host may not ring for; and as the poll began. */
  private int disarms;

  private int disarmsBefore;

  /** There are queues with a shadow from now on. */
  void use() {
    inUse = true;
  }

  boolean inUse() {
    return inUse;
  }

  /** There may be something to see. */
  void want() {
    wanted = true;
  }

  /** There is: the host has rung for commands. */
  void wantForCommands() {
    wanted = true;
    rung = true;
  }

  boolean wanted() {
    return wanted;
  }

  /** Whether a poll begins. */
  boolean begin() {
    if (!inUse || underWay || setUpWaits) {
      return false;
    }
    underWay = true;
    wanted = false;
    rungBefore = rung;
    rung = false;
    disarmsBefore = disarms;
    return true;
  }

  boolean underWay() {
    return underWay;
  }

  /**
   * The poll that is under way has seen nothing: what the host rang for has yet to be looked at.
   *
   * @return whether it rang for anything
   */
  boolean fail() {
    rung |= rungBefore;
    wanted |= rungBefore;
    return rungBefore;
  }

  /** Lets no poll begin, or lets them begin again. */
  void setUpWaits(boolean waits) {
    setUpWaits = waits;
  }

  boolean setUpWaits() {
    return setUpWaits;
  }

  /** As {@link #begin}, before there is a shadow too; none is under way. */
  void beginSetUp() {
    underWay = true;
    disarm();
  }

  /**
   * @param nowArmed whether the host rings for all it adds, as of this poll
   */
  void end(boolean nowArmed) {
    underWay = false;
    armed |= nowArmed && disarms == disarmsBefore;
  }

  /** Something happened that the host may not ring for. */
  void disarm() {
    armed = false;
    disarms++;
  }

  /** Whether the host may add something without ringing. */
  boolean unarmed() {
    return inUse && !armed;
  }
}
