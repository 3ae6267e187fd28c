package dev.peerbar.cli.start;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** When the launcher builds and rehearses: in a checkout of its own, with a JDK that only notes. */
@Timeout(60)
final class LauncherTest {
  private static final String JAVA =
      """
      #!/bin/sh
      for last; do :; done
      case "$*" in
      *start.Rehearsal*)
        echo rehearsal >>"$NOTES"
        [ -z "${NO_CACHE:-}" ] || exit 1
        echo a.jar >"$last/classpath"
        echo cache >"$last/program.aot"
        ;;
      *) echo "$*" ;;
      esac
      """;

  private static final String MAVEN =
      """
      #!/bin/sh
      echo build >>"$NOTES"
      mkdir -p bench/target server/target
      echo b.jar >bench/target/classpath
      touch bench/target/peerbar-bench.jar server/target/peerbar-server.jar
      """;

  @TempDir private Path directory;
  private Path home;
  private Path jdk;
  private Path notes;

  @BeforeEach
  void checkout() throws IOException {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve(".mvn/program.options"))) {
      root = root.getParent();
    }
    home = Files.createDirectory(directory.resolve("checkout"));
    notes = Files.createFile(directory.resolve("notes"));
    Files.copy(root.resolve("peerbar"), home.resolve("peerbar"));
    Files.writeString(home.resolve("pom.xml"), "");
    Files.createDirectories(home.resolve("bench/src"));
    Files.writeString(home.resolve("bench/pom.xml"), "");
    Files.createDirectory(home.resolve(".mvn"));
    for (String options : List.of("program.options", "launch.options")) {
      Files.copy(root.resolve(".mvn").resolve(options), home.resolve(".mvn").resolve(options));
    }
    jdk = Files.createDirectories(directory.resolve("jdk"));
    release("25.0.1");
    script(jdk.resolve("bin/java"), JAVA);
    script(jdk.resolve("bin/javac"), "");
    script(directory.resolve("bin/mvn"), MAVEN);
  }

  private void release(String version) throws IOException {
    Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"%s\"\n".formatted(version));
  }

  private static void script(Path path, String text) throws IOException {
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Process start(Map<String, String> variables) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(home.resolve("peerbar").toString(), "serve");
    builder.environment().put("JAVA_HOME", jdk.toString());
    builder.environment().put("NOTES", notes.toString());
    builder
        .environment()
        .merge("PATH", directory.resolve("bin").toString(), (old, first) -> first + ":" + old);
    builder.environment().putAll(variables);
    builder.redirectError(directory.resolve("stderr").toFile());
    return builder.start();
  }

  private String run(Map<String, String> variables) throws Exception {
    return finish(start(variables));
  }

  private String run() throws Exception {
    return run(Map.of());
  }

  private String finish(Process launcher) throws Exception {
    String line = launcher.inputReader().readLine();
    assertThat(launcher.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(launcher.exitValue()).as(Files.readString(directory.resolve("stderr"))).isZero();
    return line;
  }

  private List<String> noted() throws IOException {
    List<String> noted = Files.readAllLines(notes);
    Files.writeString(notes, "");
    return noted;
  }

  private void touch(String file) throws IOException {
    Path path = home.resolve(file);
    Files.createDirectories(path.getParent());
    if (!Files.exists(path)) {
      Files.createFile(path);
    }
    // Ahead of all that was made since: file systems have coarse clocks.
    Files.setLastModifiedTime(path, FileTime.from(Instant.now().plusSeconds(1)));
  }

  @Test
  void buildsAndRehearsesOnce() throws Exception {
    String command = run();
    assertThat(noted()).containsExactly("build", "rehearsal");
    assertThat(command)
        .contains("-cp a.jar dev.peerbar.cli.Main serve")
        .contains("-XX:AOTCache=" + home.resolve("bench/target/start/program.aot"));
    assertThat(run()).isEqualTo(command);
    assertThat(noted()).isEmpty();
    assertThat(directory.resolve("stderr")).isEmptyFile();
  }

  @Test
  void twoBuildOnce() throws Exception {
    Process first = start(Map.of());
    Process second = start(Map.of());
    assertThat(finish(first)).isEqualTo(finish(second)).contains("-cp a.jar");
    assertThat(noted()).containsExactly("build", "rehearsal");
  }

  @Test
  void rehearsesAgainForOtherJars() throws Exception {
    run();
    noted();
    touch("server/target/peerbar-server.jar");
    run();
    assertThat(noted()).containsExactly("rehearsal");
  }

  @Test
  void rehearsesAgainForAnotherJdk() throws Exception {
    run();
    noted();
    release("26-ea");
    run();
    assertThat(noted()).containsExactly("rehearsal");
  }

  @Test
  void rehearsesAgainForACacheThatIsGone() throws Exception {
    run();
    noted();
    Files.delete(home.resolve("bench/target/start/program.aot"));
    run();
    assertThat(noted()).containsExactly("rehearsal");
  }

  @Test
  void buildsAgainForAnotherSource() throws Exception {
    run();
    noted();
    touch("bench/src/Main.java");
    assertThat(run()).contains("-cp a.jar");
    assertThat(noted()).startsWith("build");
  }

  @Test
  void runsWithoutARehearsalThatFails() throws Exception {
    Map<String, String> variables = Map.of("NO_CACHE", "yes");
    assertThat(run(variables))
        .contains("-cp " + home.resolve("bench/target/peerbar-bench.jar") + ":b.jar ")
        .doesNotContain("AOTCache");
    assertThat(noted()).containsExactly("build", "rehearsal");
    run(variables);
    assertThat(noted()).as("it fails only once").isEmpty();
  }
}
