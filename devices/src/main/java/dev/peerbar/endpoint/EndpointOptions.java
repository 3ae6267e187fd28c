package dev.peerbar.endpoint;

import java.util.HashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;

/** What was given for an endpoint's options. Never changes. */
public final class EndpointOptions {
  /** With nothing given: every option is what it is if nobody says otherwise. */
  public static final EndpointOptions NONE = new EndpointOptions(Map.of());

  private final Map<String, Object> given;

  private EndpointOptions(Map<String, Object> given) {
    this.given = given;
  }

  /**
   * These, and a value for one more option, or another one for an option.
   *
   * @throws ClassCastException if the value is not of the option's type
   */
  public EndpointOptions with(EndpointOption<?> option, Object value) {
    Map<String, Object> more = new HashMap<>(given);
    more.put(option.name(), option.type().cast(value));
    return new EndpointOptions(Map.copyOf(more));
  }

  /** What was given for an option, or what it is if nobody says otherwise. */
  public <T> Optional<T> find(EndpointOption<T> option) {
    Object value = given.get(option.name());
    return value == null ? option.preset() : Optional.of(option.type().cast(value));
  }

  /**
   * As {@link #find}, of an option that is always something.
   *
   * @throws NoSuchElementException if nothing was given and it has no preset
   */
  public <T> T get(EndpointOption<T> option) {
    return find(option)
        .orElseThrow(() -> new NoSuchElementException("nothing was given for " + option.name()));
  }
}
