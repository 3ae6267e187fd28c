package dev.peerbar.scenario;

import java.util.function.Predicate;

/**
 * A scenario that is a few lines in a class of its kind: a row of a table of errors, say. One that
 * needs helpers of its own is a class.
 *
 * @param description its name, its sentence, what it needs
 * @param fixture what gives it its environment
 * @param where the settings in which it belongs
 * @param spendsGuest as {@link Scenario#spendsGuest}
 * @param body what it does
 */
public record Case<E extends Environment>(
    Description description,
    FixtureKind<E> fixture,
    Predicate<Setting> where,
    boolean spendsGuest,
    Body<E> body)
    implements Scenario<E> {

  /** What {@link Scenario#run} does. */
  @FunctionalInterface
  public interface Body<E> {
    String run(E environment) throws Exception;
  }

  /** One that needs nothing but its fixture, and belongs in all of its settings. */
  public static <E extends Environment> Case<E> on(
      FixtureKind<E> fixture, String name, String does, String expects, Body<E> body) {
    return new Case<>(Description.of(name, does, expects), fixture, _ -> true, false, body);
  }

  /** The same with more needs. */
  public Case<E> needing(Requirement... more) {
    return new Case<>(description.needing(more), fixture, where, spendsGuest, body);
  }

  /** The same, only in some settings. */
  public Case<E> only(Predicate<Setting> settings) {
    return new Case<>(description, fixture, where.and(settings), spendsGuest, body);
  }

  /** The same, with a guest that is of no use to others afterwards. */
  public Case<E> spendingGuest() {
    return new Case<>(description, fixture, where, true, body);
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return where.test(setting);
  }

  @Override
  public String run(E environment) throws Exception {
    return body.run(environment);
  }
}
