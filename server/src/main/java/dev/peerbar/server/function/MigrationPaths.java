package dev.peerbar.server.function;

import dev.peerbar.server.function.Migration.State;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;

/**
 * The arcs between migration states (vfio-user, Direct State Transitions) and the paths made of
 * them (Complex State Transitions): the shortest, without a state of the saving group inside.
 */
final class MigrationPaths {
  private static final Map<State, Set<State>> ARCS =
      new EnumMap<>(
          Map.of(
              State.RUNNING, EnumSet.of(State.STOP, State.PRE_COPY),
              State.STOP, EnumSet.of(State.RUNNING, State.STOP_COPY, State.RESUMING),
              State.STOP_COPY, EnumSet.of(State.STOP),
              State.RESUMING, EnumSet.of(State.STOP),
              State.PRE_COPY, EnumSet.of(State.RUNNING, State.STOP_COPY),
              State.ERROR, EnumSet.noneOf(State.class)));

  private static final Set<State> SAVING_GROUP = EnumSet.of(State.STOP_COPY, State.PRE_COPY);

  private MigrationPaths() {}

  /**
   * The states to go to, one by one, the last of them {@code to}; none if it is where we are, as
   * Linux has it.
   *
   * @return empty if it is not allowed: to ERROR or from it, and from STOP_COPY back to PRE_COPY
   */
  static Optional<List<State>> find(State from, State to) {
    if (from == State.ERROR
        || to == State.ERROR
        || (from == State.STOP_COPY && to == State.PRE_COPY)) {
      return Optional.empty();
    }
    Queue<List<State>> paths = new ArrayDeque<>(List.of(List.of(from)));
    Set<State> seen = EnumSet.of(from);
    while (!paths.isEmpty()) {
      List<State> path = paths.remove();
      State last = path.getLast();
      if (last == to) {
        return Optional.of(path.subList(1, path.size()));
      }
      if (path.size() > 1 && SAVING_GROUP.contains(last)) {
        continue;
      }
      for (State next : ARCS.get(last)) {
        if (seen.add(next)) {
          List<State> longer = new ArrayList<>(path);
          longer.add(next);
          paths.add(longer);
        }
      }
    }
    return Optional.empty();
  }
}
