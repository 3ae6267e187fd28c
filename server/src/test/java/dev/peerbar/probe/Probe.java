package dev.peerbar.probe;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.cli.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;

/** Runs {@code peerbar probe} in this process. */
final class Probe {
  /** Names for what tests probe, so that they do not depend on the machine's. */
  private static final String IDS =
      """
      # a comment
      1234  Example Vendor
      \t7032  Example Accelerator
      \t\t1234 7032  Example Board
      C 12  Processing accelerators
      \t00  Processing accelerators
      """;

  /**
   * What a run left.
   *
   * @param out standard output
   * @param errors standard error
   */
  record Outcome(int status, String out, String errors) {

    /** The report, of a run that succeeded and had nothing to complain of. */
    String report() {
      assertThat(errors).isEmpty();
      assertThat(status).isZero();
      return out;
    }

    JsonNode json() throws IOException {
      return new ObjectMapper().readTree(report());
    }

    /** One line, which has these words in it, and nothing on standard output. */
    void fails(String... words) {
      assertThat(errors).startsWith("peerbar: ").contains(words).hasLineCount(1);
      assertThat(out).isEmpty();
      assertThat(status).isEqualTo(1);
    }

    void isWrongUsage(String words) {
      assertThat(errors).contains(words).contains("Usage: peerbar probe");
      assertThat(out).isEmpty();
      assertThat(status).isEqualTo(2);
    }
  }

  private Probe() {}

  /** With the options as they are. */
  static Outcome run(String... options) {
    StringWriter out = new StringWriter();
    StringWriter errors = new StringWriter();
    CommandLine commandLine = Main.commandLine();
    commandLine.setOut(new PrintWriter(out, true));
    commandLine.setErr(new PrintWriter(errors, true));
    List<String> arguments = new ArrayList<>(List.of("probe"));
    arguments.addAll(List.of(options));
    int status = commandLine.execute(arguments.toArray(String[]::new));
    return new Outcome(status, out.toString(), errors.toString());
  }

  /** Probes a socket, with the names of this class and a long limit of time. */
  static Outcome of(Path socket, String... options) throws IOException {
    List<String> all =
        new ArrayList<>(List.of("--socket-path=" + socket, "-i", ids(socket).toString()));
    all.addAll(List.of(options));
    if (all.stream().noneMatch(option -> option.startsWith("--timeout"))) {
      all.add("--timeout=60");
    }
    return run(all.toArray(String[]::new));
  }

  /** A list of PCI ids, beside a socket. */
  static Path ids(Path socket) throws IOException {
    return Files.writeString(socket.resolveSibling("pci.ids"), IDS);
  }
}
