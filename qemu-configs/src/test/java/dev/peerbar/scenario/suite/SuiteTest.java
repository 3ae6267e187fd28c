package dev.peerbar.scenario.suite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.Scenario;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the scenarios say of themselves. */
class SuiteTest {
  private static final int LONGEST_SENTENCE = 200;

  /** As in "A's BAR", and what is written so everywhere. */
  private static final String MAY_BEGIN = "([a-z0-9]|[A-Z]('s)?\\b|[A-Z][A-Z0-9]+\\b).*";

  static List<Description> descriptions() {
    return Suite.ALL.scenarios().stream().map(Scenario::description).toList();
  }

  @ParameterizedTest
  @MethodSource("descriptions")
  void aSentenceIsTwoHalves(Description description) {
    assertThat(List.of(description.does(), description.expects()))
        .allSatisfy(half ->
            assertThat(half)
                .isNotBlank()
                .matches(MAY_BEGIN)
                .doesNotEndWith(".")
                .doesNotContainPattern("\\s\\s|^\\s|\\s$|\\p{Cntrl}|[@#|]"));
    assertThat(description.sentence()).hasSizeLessThanOrEqualTo(LONGEST_SENTENCE);
  }

  @ParameterizedTest
  @MethodSource("descriptions")
  void aNameIsShort(Description description) {
    assertThat(description.name()).hasSizeLessThanOrEqualTo(40);
  }
}
