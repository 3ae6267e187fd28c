package dev.peerbar.probe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The real lspci (package pciutils), if this machine has it. */
final class Lspci {
  private static final String NAME = "lspci";

  /** The version whose words probe has; others say some things differently. */
  private static final String VERSION = "lspci version 3.9.";

  private Lspci() {}

  /** Ends the test, undecided, where there is no lspci. */
  static void needed() {
    assumeThat(isThere()).as("lspci is installed (package pciutils)").isTrue();
  }

  /** Whether its words are those of probe. */
  static boolean hasOurWords(Path directory) throws Exception {
    return run(directory, "--version").startsWith(VERSION);
  }

  private static boolean isThere() {
    for (String place : System.getenv().getOrDefault("PATH", "").split(":")) {
      if (Files.isExecutable(Path.of(place, NAME))) {
        return true;
      }
    }
    return Files.isExecutable(Path.of("/usr/bin/lspci"))
        || Files.isExecutable(Path.of("/sbin/lspci"));
  }

  private static String command() {
    return Files.isExecutable(Path.of("/sbin/lspci")) ? "/sbin/lspci" : NAME;
  }

  /** What it makes of a dump, in lines. */
  static List<String> read(Path directory, String dump, String... options) throws Exception {
    Path file = Files.writeString(directory.resolve("dump"), dump);
    List<String> all = new ArrayList<>(List.of("-F", file.toString()));
    all.addAll(List.of(options));
    return run(directory, all.toArray(String[]::new)).lines().toList();
  }

  private static String run(Path directory, String... options) throws Exception {
    Path out = directory.resolve("lspci.out");
    Path errors = directory.resolve("lspci.err");
    List<String> line = new ArrayList<>(List.of(command()));
    line.addAll(List.of(options));
    Process process =
        new ProcessBuilder(line)
            .redirectOutput(out.toFile())
            .redirectError(errors.toFile())
            .start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("lspci ended").isTrue();
    assertThat(process.exitValue()).as(read(errors)).isZero();
    return read(out);
  }

  private static String read(Path file) throws IOException {
    return Files.readString(file, StandardCharsets.ISO_8859_1);
  }
}
