package dev.peerbar.bench.harness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class InterleavedTest {
  private final List<String> iterations = new ArrayList<>();

  /** Writes down its iterations; each run does an amount. */
  private Side side(String name, long amount) {
    return new Side(
        name,
        new Workload() {
          @Override
          public void begin() {
            iterations.add(name);
          }

          @Override
          public long run() {
            return amount;
          }

          @Override
          public void end() {
            iterations.add(".");
          }
        });
  }

  @Test
  void sidesTakeTurnsAndEachBeginsARound() throws Exception {
    Bench bench = new Bench(Effort.QUICK, _ -> {});
    bench.compare(side("a", 1), side("b", 1), side("c", 1));
    bench.compareWarm(side("d", 1), side("e", 1));

    assertThat(Effort.QUICK.rounds()).isEqualTo(3);
    assertThat(String.join("", iterations))
        .isEqualTo("a.b.c.".repeat(3) + "a.b.c." + "b.c.a." + "c.a.b." + "d.e." + "e.d." + "d.e.");
  }

  @Test
  void eachSideGetsWhatItDid() throws Exception {
    List<Measured> measured =
        Interleaved.run(Effort.QUICK, List.of(side("one", 1), side("thousand", 1000)));

    assertThat(measured).extracting(Measured::name).containsExactly("one", "thousand");
    for (Measured side : measured) {
      assertThat(side.nanos().getTotalCount()).isGreaterThanOrEqualTo(Effort.QUICK.rounds());
      // A rate and a cost are each other's reciprocal, in seconds and nanoseconds.
      assertThat(side.rate() * side.cost()).isCloseTo(1e9, byRounding());
    }
  }

  private static Offset<Double> byRounding() {
    return Offset.offset(1.0);
  }

  @Test
  void aSideMayKeepItsOwnTime() throws Exception {
    Side slow = Side.keepingTime("slow", () -> new TimedWorkload.Invocation(10, 5_000));
    Side fast = Side.keepingTime("fast", () -> new TimedWorkload.Invocation(100, 100));

    List<Measured> measured = Interleaved.run(Effort.QUICK, List.of(slow, fast));

    assertThat(measured.get(0).cost()).isEqualTo(500);
    assertThat(measured.get(1).cost()).isEqualTo(1);
    assertThat(measured.get(1).rate()).isEqualTo(1e9);
    assertThat(measured.get(0).costOver(measured.get(1)).median()).isEqualTo(500);
    assertThat(measured.get(0).percentile(50))
        .isCloseTo(5_000, Offset.offset(5.0)); // three digits are kept
  }

  @Test
  void theIterationOfASideThatFailsIsEnded() {
    Side failing =
        new Side(
            "failing",
            new Workload() {
              @Override
              public long run() throws IOException {
                throw new IOException("no more");
              }

              @Override
              public void end() {
                iterations.add("ended");
              }
            });

    assertThatThrownBy(() -> Interleaved.run(Effort.QUICK, List.of(failing))).hasMessage("no more");
    assertThat(iterations).containsExactly("ended");
  }
}
