package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The sample endpoint of the authors' page: built as the page says, served by the program. */
@Timeout(180)
final class PluginProgramTest {
  private static final Path DEVICES = Path.of("../devices").toAbsolutePath().normalize();
  private static final String EXAMPLE = "devices/examples/page-fetcher";

  /** The commands that make the jar. */
  private static final Pattern COMMANDS = Pattern.compile("```sh\n(.*?)```", Pattern.DOTALL);

  @TempDir private Path directory;
  private Path socket;

  /** A checkout that has this example, and what the build makes of the devices. */
  @BeforeEach
  void checkout() throws IOException {
    socket = directory.resolve("a.sock");
    for (String folder : List.of("examples/page-fetcher", "target/classes")) {
      copy(DEVICES.resolve(folder), directory.resolve("devices").resolve(folder));
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path copy = to.resolve(from.relativize(file));
        Files.createDirectories(copy.getParent());
        Files.copy(file, copy);
      }
    }
  }

  private Path jar() throws Exception {
    Matcher page = COMMANDS.matcher(Files.readString(DEVICES.resolve("docs/endpoint-author.md")));
    assertThat(page.find()).isTrue();
    ProcessBuilder shell =
        new ProcessBuilder("/bin/sh", "-e", "-c", page.group(1))
            .directory(directory.toFile())
            .redirectErrorStream(true);
    Path tools = Path.of(System.getProperty("java.home"), "bin");
    shell
        .environment()
        .merge("PATH", tools.toString(), (old, jdk) -> jdk + File.pathSeparator + old);
    Process build = shell.start();
    try (BufferedReader output = build.inputReader()) {
      String said = output.lines().collect(Collectors.joining("\n"));
      assertThat(build.waitFor()).as(said).isZero();
    }
    return directory.resolve(EXAMPLE).resolve("target/page-fetcher.jar");
  }

  /** What probe says of the device behind the socket. */
  private List<String> probe() throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory(directory, "probe");
    try (RunningProgram probe =
        RunningProgram.start(folder, "probe", "--socket-path=" + socket, "-n")) {
      List<String> lines = probe.process().inputReader().lines().map(String::strip).toList();
      assertThat(probe.ended()).as(probe.errors()).isZero();
      return lines;
    }
  }

  private void isServed(String size, String... arguments) throws Exception {
    try (RunningProgram program = RunningProgram.start(directory, arguments)) {
      program.ready(socket);
      assertThat(probe())
          .anyMatch(line -> line.contains("1200: 1234:0e0e"))
          .anyMatch(line -> line.startsWith("Region 0: Memory at") && line.contains("[size=4K]"))
          .anyMatch(line -> line.startsWith("Region 2: Memory at") && line.contains(size))
          .anyMatch(line -> line.contains("MSI-X: Enable- Count=1"));
      program.terminate();
      assertThat(program.ended()).isZero();
      assertThat(socket).doesNotExist();
    }
  }

  @Test
  void isServedFromTheCommandLine() throws Exception {
    isServed(
        "[size=2M]",
        "serve",
        "page-fetcher",
        "--plugin=" + jar(),
        "--socket-path=" + socket,
        "--memory=2M");
  }

  @Test
  void isServedFromAFile() throws Exception {
    jar();
    Path file =
        Files.writeString(
            directory.resolve(EXAMPLE).resolve("endpoints.yaml"),
            """
            plugins:
              - target/page-fetcher.jar
            endpoints:
              - type: page-fetcher
                socket-path: %s
            """
                .formatted(socket));
    isServed("[size=1M]", "serve", "--config=" + file);
  }

  @Test
  void whatItRefusesIsToldByTheProgram() throws Exception {
    Path jar = jar();
    try (RunningProgram program =
        RunningProgram.start(
            directory,
            "serve",
            "page-fetcher",
            "--plugin=" + jar,
            "--socket-path=" + socket,
            "--memory=3M")) {
      assertThat(program.ended()).isEqualTo(2);
      assertThat(program.errors())
          .startsWith("The memory is a power of two from 4 KiB to 1 GiB, not 3145728 bytes.")
          .contains("The memory behind BAR 2: a power of two, 4K to 1G");
    }
  }

  @Test
  void aPluginThatIsMissingIsToldByTheProgram() throws Exception {
    try (RunningProgram program =
        RunningProgram.start(
            directory, "serve", "page-fetcher", "--plugin=none.jar", "--socket-path=" + socket)) {
      assertThat(program.ended()).isEqualTo(1);
      assertThat(program.errors()).isEqualTo("peerbar: there is no plugin none.jar%n".formatted());
      assertThat(socket).doesNotExist();
    }
  }
}
