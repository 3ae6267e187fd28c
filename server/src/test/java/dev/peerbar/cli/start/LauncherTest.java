package dev.peerbar.cli.start;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.xpath.XPathConstants;
import javax.xml.xpath.XPathFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;

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
      echo b.jar >server/target/classpath
      echo c.jar >bench/target/classpath
      touch server/target/peerbar-server.jar bench/target/peerbar-bench.jar
      """;

  private static final Path ROOT = root();

  @TempDir private Path directory;
  private Path home;
  private Path jdk;
  private Path notes;

  @BeforeEach
  void checkout() throws Exception {
    home = Files.createDirectory(directory.resolve("checkout"));
    notes = Files.createFile(directory.resolve("notes"));
    copy("peerbar");
    copy("pom.xml");
    copy(".mvn/program.options");
    copy(".mvn/launch.options");
    for (String module : modules()) {
      copy(module + "/pom.xml");
      Files.createDirectories(home.resolve(module + "/src"));
    }
    for (String file : packed()) {
      copy(file);
    }
    jdk = Files.createDirectories(directory.resolve("jdk"));
    release("25.0.1");
    script(jdk.resolve("bin/java"), JAVA);
    script(jdk.resolve("bin/javac"), "");
    script(directory.resolve("bin/mvn"), MAVEN);
  }

  private static Path root() {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve(".mvn/program.options"))) {
      root = root.getParent();
    }
    return root;
  }

  private void copy(String file) throws IOException {
    Path copy = home.resolve(file);
    Files.createDirectories(copy.getParent());
    Files.copy(ROOT.resolve(file), copy);
  }

  private static List<String> modules() throws Exception {
    return texts(ROOT.resolve("pom.xml"), "//modules/module");
  }

  /** Files that the modules pack into their jars, beside what is in their src. */
  private static List<String> packed() throws Exception {
    List<String> packed = new ArrayList<>();
    for (String module : modules()) {
      Path folder = ROOT.resolve(module);
      String resources = "//resource[directory='${project.basedir}']//include";
      for (String include : texts(folder.resolve("pom.xml"), resources)) {
        PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + include);
        try (Stream<Path> files = Files.walk(folder, 3)) {
          files
              .filter(file -> matcher.matches(folder.relativize(file)))
              .forEach(file -> packed.add(ROOT.relativize(file).toString()));
        }
      }
    }
    return packed;
  }

  private static List<String> texts(Path pom, String expression) throws Exception {
    Document document =
        DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(pom.toFile());
    NodeList nodes =
        (NodeList)
            XPathFactory.newInstance()
                .newXPath()
                .evaluate(expression, document, XPathConstants.NODESET);
    return IntStream.range(0, nodes.getLength())
        .mapToObj(i -> nodes.item(i).getTextContent())
        .toList();
  }

  private void release(String version) throws IOException {
    Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"%s\"\n".formatted(version));
  }

  private static void script(Path path, String text) throws IOException {
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Process start(Map<String, String> variables, String command) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(home.resolve("peerbar").toString(), command);
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
    return finish(start(variables, "serve"));
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
        .contains("-XX:AOTCache=" + home.resolve("server/target/start/program.aot"));
    assertThat(run()).isEqualTo(command);
    assertThat(noted()).isEmpty();
    assertThat(directory.resolve("stderr")).isEmptyFile();
  }

  @Test
  void twoBuildOnce() throws Exception {
    Process first = start(Map.of(), "serve");
    Process second = start(Map.of(), "serve");
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
    Files.delete(home.resolve("server/target/start/program.aot"));
    run();
    assertThat(noted()).containsExactly("rehearsal");
  }

  @Test
  void rehearsesAgainForNoJarOfTheModulesAbove() throws Exception {
    run();
    noted();
    touch("bench/target/peerbar-bench.jar");
    run();
    assertThat(noted()).isEmpty();
  }

  private static List<String> inputs() throws Exception {
    List<String> inputs = new ArrayList<>(packed());
    assertThat(inputs).contains("qemu-configs/guest/agent.c");
    inputs.addAll(List.of("pom.xml", ".mvn/program.options", ".mvn/launch.options"));
    for (String module : modules()) {
      inputs.addAll(List.of(module + "/pom.xml", module + "/src/main/java/Main.java"));
    }
    return inputs;
  }

  @ParameterizedTest
  @MethodSource("inputs")
  void buildsAgainForAnotherInput(String file) throws Exception {
    run();
    noted();
    touch(file);
    assertThat(run()).contains("-cp a.jar");
    assertThat(noted()).startsWith("build");
  }

  @ParameterizedTest
  @ValueSource(strings = {"server/target/classpath", "bench/target/classpath"})
  void buildsAgainWhatWasCleaned(String file) throws Exception {
    run();
    noted();
    Files.delete(home.resolve(file));
    run();
    assertThat(noted()).startsWith("build");
  }

  @ParameterizedTest
  @ValueSource(strings = {"serve", "probe"})
  void theServersOwnCommandsNeedNoOtherModule(String command) throws Exception {
    assertThat(finish(start(Map.of(), command))).contains("-cp a.jar dev.peerbar.cli.Main");
  }

  /** The server's jars come first: the JVM's cache is for these. */
  @ParameterizedTest
  @ValueSource(strings = {"lab", "bench", "--help", "sreve"})
  void theOthersHaveEveryModule(String command) throws Exception {
    assertThat(finish(start(Map.of(), command)))
        .contains("-XX:AOTCache=")
        .contains("-cp a.jar:" + home.resolve("bench/target/peerbar-bench.jar") + ":c.jar ");
  }

  @Test
  void runsWithoutARehearsalThatFails() throws Exception {
    Map<String, String> variables = Map.of("NO_CACHE", "yes");
    assertThat(run(variables))
        .contains("-cp " + home.resolve("server/target/peerbar-server.jar") + ":b.jar ")
        .doesNotContain("AOTCache");
    assertThat(noted()).containsExactly("build", "rehearsal");
    run(variables);
    assertThat(noted()).as("it fails only once").isEmpty();
  }
}
