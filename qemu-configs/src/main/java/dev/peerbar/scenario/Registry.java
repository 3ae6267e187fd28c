package dev.peerbar.scenario;

import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Scenarios by name.
 *
 * @param scenarios in the order in which they are listed and run; no two have one name
 */
public record Registry(List<Scenario<?>> scenarios) {
  public Registry {
    scenarios = List.copyOf(scenarios);
    Set<String> names = new HashSet<>();
    for (Scenario<?> scenario : scenarios) {
      if (!names.add(scenario.description().name())) {
        throw new IllegalArgumentException("two scenarios " + scenario.description().name());
      }
    }
  }

  public static Registry of(Scenario<?>... scenarios) {
    return new Registry(List.of(scenarios));
  }

  /**
   * Those whose name a pattern matches, in order.
   *
   * @param globs patterns as a shell has them: {@code *}, {@code ?}, {@code [ab]}, {@code {x,y}}; a
   *     dot is a character like others. None for all scenarios
   * @throws IllegalArgumentException with a sentence if one is no pattern, or matches no name
   */
  public List<Scenario<?>> matching(List<String> globs) {
    if (globs.isEmpty()) {
      return scenarios;
    }
    List<PathMatcher> matchers = globs.stream().map(this::matcher).toList();
    return scenarios.stream()
        .filter(s -> matchers.stream().anyMatch(m -> m.matches(path(s))))
        .toList();
  }

  private PathMatcher matcher(String glob) {
    PathMatcher matcher;
    try {
      matcher = FileSystems.getDefault().getPathMatcher("glob:" + glob);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("'%s' is no pattern of names.".formatted(glob), e);
    }
    if (scenarios.stream().noneMatch(s -> matcher.matches(path(s)))) {
      throw new IllegalArgumentException(
          "No scenario is called '%s'; --list prints their names.".formatted(glob));
    }
    return matcher;
  }

  private static Path path(Scenario<?> scenario) {
    return Path.of(scenario.description().name());
  }
}
