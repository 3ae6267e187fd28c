package dev.peerbar.bench.harness;

import java.util.ArrayList;
import java.util.List;

/** Runs sides by turns: a disturbance of the machine meets all of them, or shows in the spread. */
final class Interleaved {
  private Interleaved() {}

  /** Has each side run before anything counts. */
  static void warmUp(Effort effort, List<Side> sides) throws Exception {
    // By turns too: the compiler sees all sides before it decides what is common.
    long nanos = effort.warmUp().toNanos() / effort.rounds();
    for (int round = 0; round < effort.rounds(); round++) {
      for (Side side : sides) {
        side.iterate(nanos);
      }
    }
  }

  /** What each side did, in the order of the sides. */
  static List<Measured> run(Effort effort, List<Side> sides) throws Exception {
    List<List<Iteration>> iterations = new ArrayList<>();
    sides.forEach(_ -> iterations.add(new ArrayList<>()));
    for (int round = 0; round < effort.rounds(); round++) {
      for (int i = 0; i < sides.size(); i++) {
        // Another one begins each round: being the first is no advantage then.
        int side = (round + i) % sides.size();
        iterations.get(side).add(sides.get(side).iterate(effort.iteration().toNanos()));
      }
    }
    List<Measured> measured = new ArrayList<>();
    for (int i = 0; i < sides.size(); i++) {
      measured.add(new Measured(sides.get(i).name(), iterations.get(i)));
    }
    return measured;
  }
}
