package dev.peerbar.lab.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Memory for arguments is somebody's alone, and all of it comes back. */
final class ArgumentArenaTest {
  private static final long START = 0x1000;
  private static final int SIZE = 1 << 16;

  private record Taken(ArgumentArena.Part part, int length) {}

  @Test
  void whatIsTakenIsNobodyElses() {
    ArgumentArena arena = new ArgumentArena(START, SIZE);
    Random random = new Random(5);
    boolean[] used = new boolean[SIZE];
    List<Taken> taken = new ArrayList<>();
    int refused = 0;
    for (int i = 0; i < 10_000; i++) {
      int length = random.nextInt(SIZE / 16);
      Optional<ArgumentArena.Part> part = arena.take(length);
      if (part.isPresent()) {
        assertThat(part.get().address() % 64).isZero();
        mark(used, part.get(), length, true);
        taken.add(new Taken(part.get(), length));
      } else {
        refused++;
      }
      if (part.isEmpty() || random.nextBoolean()) {
        giveBack(used, taken.remove(random.nextInt(taken.size())));
      }
    }
    assertThat(refused).as("it was full at times").isPositive();
    while (!taken.isEmpty()) {
      giveBack(used, taken.removeLast());
    }
    assertThat(arena.take(SIZE)).isPresent();
    assertThat(arena.take(0)).isEmpty();
  }

  private static void giveBack(boolean[] used, Taken taken) {
    mark(used, taken.part, taken.length, false);
    taken.part.giveBack();
    taken.part.giveBack(); // once is enough
  }

  private static void mark(boolean[] used, ArgumentArena.Part part, int length, boolean now) {
    for (int i = 0; i < length; i++) {
      int at = (int) (part.address() - START) + i;
      assertThat(used[at]).isEqualTo(!now);
      used[at] = now;
    }
  }
}
