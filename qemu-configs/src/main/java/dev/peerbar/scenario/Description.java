package dev.peerbar.scenario;

import java.util.List;
import java.util.regex.Pattern;

/**
 * What there is to say of a scenario before it runs.
 *
 * @param name {@code family.case}: lower-case words, digits and hyphens between dots, and
 *     underscores in a name that was not given here
 * @param does what is done, without a capital or a full stop
 * @param expects what should be seen then, likewise
 * @param needs without all of which it is skipped
 */
public record Description(String name, String does, String expects, List<Requirement> needs) {
  private static final Pattern NAME = Pattern.compile("[a-z0-9_-]+(\\.[a-z0-9_-]+)+");

  public Description {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException("no name of a scenario: " + name);
    }
    needs = List.copyOf(needs);
  }

  /** One that needs nothing but its fixture. */
  public static Description of(String name, String does, String expects) {
    return new Description(name, does, expects, List.of());
  }

  /** The same with more needs. */
  public Description needing(Requirement... more) {
    List<Requirement> all = new java.util.ArrayList<>(needs);
    all.addAll(List.of(more));
    return new Description(name, does, expects, all);
  }

  /** What comes before the last dot of the name. */
  public String family() {
    return name.substring(0, name.lastIndexOf('.'));
  }

  /** Both halves, for a list. */
  public String sentence() {
    return does + ": " + expects;
  }
}
