package dev.peerbar.scenario.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the command makes of command lines, without a lab. */
class LabCommandTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "hbm | expected one of [P2P, NVME] (case-insensitive) but was 'hbm'",
        "--topology=three-switches | There is no topology three-switches; there are one-switch, two",
        "--bench | --bench is an option of nvme, and has a topology of its own",
        "nvme --bench --topology=one-switch | --bench is an option of nvme, and has a topology",
        "--poll | --poll is for measuring: give it with nvme --bench",
        "p2p --poll | --poll is for measuring: give it with nvme --bench",
        "nvme --poll | --poll is for measuring: give it with nvme --bench",
        "p2p --bench --poll | --bench is an option of nvme",
        "nvme --bench --poll=1 | Invalid value for option '--poll': '1' is not a boolean",
        "nvme --bench --poll 1 | Unmatched argument at index 4: '1'",
        "nvme --bench --poll --poll-idle=1s | Unknown option: '--poll-idle=1s'",
      })
  void aWrongCommandLineIsSaidToBe(String options, String sentence) {
    StringWriter errors = new StringWriter();
    String line = "lab " + options;
    assertThat(Main.commandLine().setErr(new PrintWriter(errors, true)).execute(line.split(" ")))
        .isEqualTo(2);
    assertThat(errors.toString().lines().findFirst().orElseThrow()).contains(sentence);
  }
}
