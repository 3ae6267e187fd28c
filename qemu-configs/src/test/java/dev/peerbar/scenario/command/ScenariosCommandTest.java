package dev.peerbar.scenario.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.cli.Main;
import dev.peerbar.scenario.suite.Suite;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** What the command makes of command lines, without a lab. */
class ScenariosCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter errors = new StringWriter();

  @TempDir private Path directory;

  private int status(String... options) {
    CommandLine commandLine =
        Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(errors, true));
    String[] words = new String[options.length + 1];
    words[0] = "scenarios";
    System.arraycopy(options, 0, words, 1, options.length);
    return commandLine.execute(words);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "--only=nothing.such | No scenario is called 'nothing.such'; --list prints their names.",
        "--only=bar.map,no.* | No scenario is called 'no.*'",
        "--only= | No scenario is called ''",
        "--only=bar.[ | 'bar.[' is no pattern of names.",
        "--topology=three-switches | There is no topology three-switches; there are one-switch and",
        "--topology=one-switch,none | There is no topology none",
        "--repeat=0 | --repeat takes 1 to 10000, not 0",
        "--repeat=-1 | --repeat takes 1 to 10000, not -1",
        "--repeat=2147483647 | --repeat takes 1 to 10000, not 2147483647",
        "--repeat=many | 'many' is not an int",
        "--timeout=0 | --timeout takes 1 to 86400 seconds, not 0",
        "--timeout=-5 | --timeout takes 1 to 86400 seconds, not -5",
        "--timeout=2147483647 | --timeout takes 1 to 86400 seconds",
        "--seed=0x | '0x' is not a long",
        "--format=xml | expected one of [TEXT, KTAP] (case-insensitive) but was 'xml'",
        "--report=/dev/null/report | The directory /dev/null/report cannot be made",
        "bar.map | Unmatched argument at index 1: 'bar.map'",
        "--modules=/nowhere | --modules is for the kernel that --kernel gives",
        "--kernel-source=/nowhere | /nowhere is no directory with a Linux source tree for x86",
        "--patch=/nowhere/my.patch | The patch '/nowhere/my.patch' is neither a file that can be",
        "--kernel-config=fast | There is no kernel configuration 'fast'; there are default, debug, ",
        "--kernel-config=debug,slow | There is no kernel configuration 'slow'",
        "--no-such-option | Unknown option: '--no-such-option'",
      })
  void aWrongCommandLineIsSaidToBe(String option, String sentence) {
    assertThat(status(option)).isEqualTo(2);
    assertThat(errors.toString().lines().findFirst().orElseThrow()).contains(sentence);
    assertThat(out.toString()).isEmpty();
  }

  @Test
  void aKernelIsEitherGivenOrBuilt() {
    for (String builds : List.of("--kernel-source=/", "--patch=x", "--kernel-config=debug")) {
      assertThat(status("--kernel=/nowhere", builds)).isEqualTo(2);
      assertThat(errors.toString()).startsWith("--kernel gives a kernel that is built already; ");
    }
  }

  @Test
  void whatHasNothingToDoWithTheKernelEndsABisection() {
    assertThat(status("--only=bar.map", "--qemu=/nowhere/qemu")).isEqualTo(ExitStatus.NOT_TRIED);
    assertThat(errors.toString()).contains("The QEMU /nowhere/qemu cannot be run");
  }

  @Test
  void aFileIsNoReportDirectory() throws Exception {
    Path file = Files.createFile(directory.resolve("file"));
    assertThat(status("--report=" + file)).isEqualTo(2);
    assertThat(errors.toString()).startsWith("The directory " + file + " cannot be made: ");
  }

  @Test
  void aListHasANameAndASentenceALine() {
    assertThat(status("--list")).isZero();
    List<String> lines = out.toString().lines().toList();
    assertThat(lines).hasSameSizeAs(Suite.ALL.scenarios());
    for (int i = 0; i < lines.size(); i++) {
      var description = Suite.ALL.scenarios().get(i).description();
      assertThat(lines.get(i).split(" +", 2))
          .containsExactly(description.name(), description.sentence());
    }
    assertThat(errors.toString()).isEmpty();
  }

  @Test
  void aListHasWhatIsAskedFor() {
    assertThat(status("--list", "--only=*.m?p,bar.{map,none}", "--only=b[a]r.map")).isZero();
    assertThat(out.toString()).startsWith("bar.map ").hasLineCount(1);
  }

  @Test
  void aListIsWrappedAtTheEndOfALine() {
    String wrapped = ScenarioList.wrapped(Suite.ALL.matching(List.of("bar.map")), 40);
    assertThat(wrapped)
        .isEqualTo(
            """
            bar.map  map A's memory BAR: the host
                     sees what the guest stores,
                     and the other way round
            """);
    assertThat(ScenarioList.wrapped(Suite.ALL.matching(List.of("bar.map")), 1))
        .startsWith("bar.map  map A's memory BAR:");
  }
}
