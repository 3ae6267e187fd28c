package dev.peerbar.scenario;

/**
 * One case. It relies on no other, and leaves nothing behind: what it opened, mapped, exported or
 * imported by itself, it gives back; what its fixture gave it, the fixture takes.
 *
 * <p>A class for each, registered in {@code dev.peerbar.scenario.suite.Suite}.
 *
 * @param <E> what it works on
 */
public interface Scenario<E extends Environment> {

  /** Its name, its sentence, what it needs. The same at every call. */
  Description description();

  /** What gives it its environment. */
  FixtureKind<E> fixture();

  /**
   * Whether it is to be tried in a setting of its fixture; it is not even listed where it is not.
   * What a setting may or may not have is for {@link Description#needs}.
   */
  default boolean belongsIn(Setting setting) {
    return true;
  }

  /**
   * Whether its guest is of no use to others afterwards, because its endpoints have gone or the
   * guest has: then nothing is taken back from it, QEMU may have ended, and the next scenario has
   * another guest.
   */
  default boolean spendsGuest() {
    return false;
  }

  /**
   * Tries it, on a thread of its own that is interrupted when its time is over.
   *
   * @return what was seen, a line for people, if it is as expected
   * @throws UnexpectedException if something else was seen
   * @throws Exception if it could not be done
   */
  String run(E environment) throws Exception;
}
