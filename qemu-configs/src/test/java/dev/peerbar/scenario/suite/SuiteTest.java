package dev.peerbar.scenario.suite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.Scenario;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the scenarios say of themselves. */
class SuiteTest {
  private static final int LONGEST_SENTENCE = 200;

  /** As in "A's BAR", what is written so everywhere, and NVMe's commands. */
  private static final String MAY_BEGIN = "([a-z0-9]|[A-Z]('s)?\\b|[A-Z][A-Z0-9_]+\\b|Writes\\b).*";

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

  /** The first page shows a scenario as it is. */
  @Test
  void theOneThatIsShownWholeIsWhole() throws IOException {
    String source =
        Files.readString(Path.of("src/main/java/dev/peerbar/scenario/flr/ImportAgain.java"));
    String shown = source.substring(source.indexOf("/**"));
    assertThat(Files.readString(Path.of("../README.md"))).contains("```java\n" + shown + "```");
  }
}
