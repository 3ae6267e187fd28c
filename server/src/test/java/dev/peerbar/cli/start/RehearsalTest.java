package dev.peerbar.cli.start;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.cli.Main;
import dev.peerbar.linux.UnixSocket;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The program as the launcher starts it, with a cache of a rehearsal and without. */
@Tag("long")
@Timeout(300)
final class RehearsalTest {
  private static final long LIMIT_SECONDS = 60;

  /** What the program logs when a server ends, and nothing else. */
  private static final String LOG_LINE =
      "\\d\\d:\\d\\d:\\d\\d\\.\\d{3} INFO  EndpointServer: hbm0: stopped";

  @TempDir private static Path rehearsed;
  @TempDir private Path directory;

  @BeforeAll
  static void rehearse() throws Exception {
    List<String> command = java(jars(), Rehearsal.class.getName(), rehearsed.toString());
    Path log = rehearsed.resolve("log");
    Process rehearsal =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    try {
      assertThat(rehearsal.waitFor(LIMIT_SECONDS * 3, TimeUnit.SECONDS)).isTrue();
      assertThat(rehearsal.exitValue()).as(Files.readString(log)).isZero();
    } finally {
      rehearsal.destroyForcibly();
    }
  }

  /** This class path: the JVM takes nothing into its cache that is in no jar. */
  private static String jars() throws IOException {
    List<String> jars = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      Path path = Path.of(entry);
      if (!Files.isDirectory(path)) {
        jars.add(entry);
      } else if (!path.endsWith("test-classes")) {
        Path jar = rehearsed.resolve(jars.size() + ".jar");
        pack(path, jar);
        jars.add(jar.toString());
      }
    }
    return String.join(File.pathSeparator, jars);
  }

  private static void pack(Path folder, Path jar) throws IOException {
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file);
        Stream<Path> files = Files.walk(folder)) {
      for (Path each : files.filter(Files::isRegularFile).toList()) {
        out.putNextEntry(new JarEntry(folder.relativize(each).toString()));
        Files.copy(each, out);
      }
    }
  }

  /** As the launcher does. */
  private static List<String> java(String classPath, String... rest) {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve(".mvn/program.options"))) {
      root = root.getParent();
    }
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("@" + root.resolve(".mvn/program.options"));
    command.add("@" + root.resolve(".mvn/launch.options"));
    command.addAll(List.of("-cp", classPath));
    command.addAll(List.of(rest));
    return command;
  }

  private static Path cache() {
    return rehearsed.resolve("program.aot");
  }

  /** Serves with options of the JVM, from its start to its end. */
  private void serves(String... options) throws Exception {
    Path socket = directory.resolve("a.sock");
    Path errors = directory.resolve("stderr");
    String classPath = Files.readString(rehearsed.resolve("classpath"));
    List<String> command = java(classPath, options);
    command.addAll(
        List.of(Main.class.getName(), "serve", "hbm", "--socket-path=" + socket, "--bar-size=1M"));
    Process server = new ProcessBuilder(command).redirectError(errors.toFile()).start();
    try (BufferedReader out = server.inputReader()) {
      assertThat(out.readLine()).as(Files.readString(errors)).isEqualTo("ready " + socket);
      UnixSocket.connect(socket, Duration.ofSeconds(LIMIT_SECONDS)).close();
      server.toHandle().destroy();
      assertThat(out.lines()).isEmpty();
      assertThat(server.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
      assertThat(server.exitValue()).isZero();
    } finally {
      server.destroyForcibly();
    }
    assertThat(Files.readAllLines(errors)).singleElement().asString().matches(LOG_LINE);
    assertThat(socket).doesNotExist();
  }

  /** This mode ends a JVM that cannot use its cache. */
  @Test
  void beginsWithTheCache() throws Exception {
    serves("-XX:AOTCache=" + cache(), "-XX:AOTMode=on");
  }

  @Test
  void servesWithoutACache() throws Exception {
    serves("-XX:AOTCache=" + directory.resolve("none"));
  }

  @Test
  void passesOverSomethingThatIsNoCache() throws Exception {
    Path garbage = Files.writeString(directory.resolve("garbage"), "garbage\n".repeat(10_000));
    serves("-XX:AOTCache=" + garbage);
  }

  @Test
  void passesOverHalfACache() throws Exception {
    byte[] whole = Files.readAllBytes(cache());
    Path half = directory.resolve("half");
    try (OutputStream out = Files.newOutputStream(half)) {
      out.write(whole, 0, whole.length / 2);
    }
    serves("-XX:AOTCache=" + half);
  }

  @Test
  void passesOverACacheOfOtherOptions() throws Exception {
    serves("-XX:AOTCache=" + cache(), "-XX:-UseCompactObjectHeaders");
  }
}
