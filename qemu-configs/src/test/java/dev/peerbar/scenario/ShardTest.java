package dev.peerbar.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.scenario.suite.Suite;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShardTest {
  private static final Plan PLAN =
      Plan.of(Suite.ALL.scenarios(), List.of("one-switch", "two-root-ports"), 3);

  /** What is tried, in order. */
  private static List<String> trials(Plan plan) {
    List<String> trials = new ArrayList<>();
    for (Plan.Group<?> group : plan.groups()) {
      group
          .scenarios()
          .forEach(s -> trials.add(group.setting().name() + " " + s.description().name()));
    }
    return trials;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 50, 999})
  void shardsTogetherAreThePlanAndHaveNothingInCommon(int count) {
    List<String> all = new ArrayList<>();
    int least = Integer.MAX_VALUE;
    int most = 0;
    int groups = 0;
    for (int number = 1; number <= count; number++) {
      Plan part = new Shard(number, count).of(PLAN);
      assertThat(part.rounds()).isEqualTo(3);
      List<String> trials = trials(part);
      least = Math.min(least, trials.size());
      most = Math.max(most, trials.size());
      groups += part.groups().size();
      all.addAll(trials);
    }
    assertThat(all).doesNotHaveDuplicates().isEqualTo(trials(PLAN));
    assertThat(most - least).isLessThanOrEqualTo(1);
    assertThat(groups).as("settings are cut rarely").isLessThan(PLAN.groups().size() + count);
  }

  @Test
  void itsWordsAreItsNumberAndTheirCount() {
    assertThat(Shard.parse("2/5")).isEqualTo(new Shard(2, 5)).hasToString("2/5");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "2", "0/5", "6/5", "-1/5", "1/0", "a/b", "1/2/3", " 1/2", "1/99999"})
  void otherWordsAreRefusedInASentence(String words) {
    assertThatThrownBy(() -> Shard.parse(words))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("--shard takes I/N with I from 1 to N")
        .hasMessageEndingWith(", not " + words);
  }
}
