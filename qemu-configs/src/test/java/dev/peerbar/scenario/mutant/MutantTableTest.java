package dev.peerbar.scenario.mutant;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.suite.Suite;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The table of what catches what is that of the mutants that there are. */
final class MutantTableTest {
  private static final String HEAD = "| an endpoint that | is caught by |\n| --- | --- |\n";

  @Test
  void theFirstPageHasEveryMutant() throws IOException {
    String page = Files.readString(Path.of("../README.md"));
    assertThat(page).contains(HEAD);
    List<String> rows =
        page.substring(page.indexOf(HEAD) + HEAD.length())
            .lines()
            .takeWhile(line -> line.startsWith("|"))
            .toList();
    assertThat(rows).isEqualTo(Mutant.all().stream().map(Mutant::row).toList());
  }

  @Test
  void everyMutantHasAScenarioOfTheSuite() {
    List<String> names =
        Suite.ALL.scenarios().stream().map(one -> one.description().name()).toList();
    assertThat(names).containsAll(Mutant.all().stream().map(Mutant::scenario).toList());
  }
}
