package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What people are told of plugins that cannot be used or served, and the exit status. */
@Timeout(120)
final class PluginTest {
  private static final int FAILED = 1;
  private static final int WRONG_USAGE = 2;

  /** Where the first two bytes of the version are in a class file; the major one follows. */
  private static final int MAJOR_VERSION = 7;

  @TempDir private Path directory;

  private record Outcome(int status, String errors) {}

  private static Outcome run(String... arguments) {
    StringWriter errors = new StringWriter();
    int status = Main.run(new PrintWriter(errors, true), arguments);
    return new Outcome(status, errors.toString());
  }

  private Outcome serve(Path jar, String... options) {
    Path nowhere = directory.resolve("missing/s");
    List<String> line = new ArrayList<>(List.of("serve", "sample", "--plugin=" + jar));
    line.add("--socket-path=" + nowhere);
    line.addAll(List.of(options));
    return run(line.toArray(new String[0]));
  }

  /** One line that names what is wrong. */
  private static void fails(Outcome outcome, String... parts) {
    assertThat(outcome.errors()).startsWith("peerbar: ").contains(parts).hasLineCount(1);
    assertThat(outcome.status()).isEqualTo(FAILED);
  }

  /** As far as any endpoint comes that is served where nothing can be. */
  private static void isServed(Outcome outcome) {
    fails(outcome, "cannot listen on");
  }

  private Path sample() throws IOException {
    return PluginSource.of("Sample").jar(directory);
  }

  @Test
  void aTypeFromAJarIsServed() throws Exception {
    isServed(serve(sample(), "--level=9", "--room=1M", "--light=off", "--doorbells=map"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--level=high | Invalid value for option '--level': 'high' is not an int",
        "--level= | Invalid value for option '--level': '' is not an int",
        "--level | Missing required parameter for option '--level' (N)",
        "--room=big | Invalid value for option '--room': 'big' is not a size such as 64K",
        "--light=dim | Invalid value for option '--light': 'dim' is neither on nor off",
        "--doorbells=none | expected one of [TRAP, MAP] (case-insensitive) but was 'none'",
        "--left=a --right=b | --left=TEXT, --right=TEXT are mutually exclusive",
        "--colour=red | Unknown option: '--colour=red'",
        "--plugin | Missing required parameter for option '--plugin' (JAR)",
        "more | Unmatched argument"
      })
  void wrongValuesGetTheUsage(String options, String sentence) throws Exception {
    Outcome outcome = serve(sample(), options.split(" "));
    assertThat(outcome.errors()).contains(sentence).contains("Usage: peerbar serve");
    assertThat(outcome.status()).isEqualTo(WRONG_USAGE);
  }

  @Test
  void helpShowsTheOptionsWithWhatTheyAreOtherwise() throws Exception {
    Path jar = sample();
    StringWriter help = new StringWriter();
    String[] line = {"serve", "sample", "--plugin=" + jar, "--help"};
    assertThat(Main.commandLine(line).setOut(new PrintWriter(help)).execute(line)).isZero();
    assertThat(help.toString())
        .contains("Serve a function for 100% of tests.")
        .containsPattern("--level=N +How high \\(default: 7\\)\\.")
        .containsPattern("--room=SIZE +How much \\(default: 64K\\)\\.")
        .containsPattern("--light=on\\|off +Whether to see\\.")
        .containsPattern("--doorbells=trap\\|map +How to ring \\(default: trap\\)\\.")
        .contains("[--left=TEXT | --right=TEXT]")
        .contains("--plugin=JAR")
        .contains("--max-dma-maps=N");
  }

  @Test
  void helpListsTheTypesOfAJar() throws Exception {
    StringWriter help = new StringWriter();
    String[] line = {"serve", "--plugin", sample().toString(), "--help"};
    assertThat(Main.commandLine(line).setOut(new PrintWriter(help)).execute(line)).isZero();
    assertThat(help.toString())
        .containsPattern("hbm +Serve an accelerator")
        .containsPattern("nvme +Serve an NVMe controller")
        .containsPattern("sample +Serve a function for 100% of tests\\.");
  }

  @Test
  void aNameThatThereIsNotIsToldWithThoseThatThereAre() throws Exception {
    Outcome outcome = run("serve", "simple", "--plugin=" + sample(), "--socket-path=s");
    assertThat(outcome.errors())
        .startsWith("Unmatched argument")
        .contains("Did you mean: serve sample?");
    assertThat(outcome.status()).isEqualTo(WRONG_USAGE);
    outcome = run("serve", "warp", "--plugin=" + sample(), "--socket-path=s");
    assertThat(outcome.errors())
        .startsWith("There is no endpoint type 'warp'; there are gpu, hbm, ioat, nvme, sample.")
        .contains("Usage: peerbar serve");
    assertThat(outcome.status()).isEqualTo(WRONG_USAGE);
  }

  @Test
  void aJarThatIsNoneIsNamed() throws Exception {
    Path missing = directory.resolve("none.jar");
    fails(serve(missing), "there is no plugin " + missing);
    fails(serve(directory), "the plugin " + directory + " is a folder, not a jar");
    Path text = Files.writeString(directory.resolve("text.jar"), "text");
    fails(serve(text), "the plugin " + text + " is not a jar");
    Path empty = Files.createFile(directory.resolve("empty.jar"));
    fails(serve(empty), "the plugin " + empty + " is not a jar");
    byte[] whole = Files.readAllBytes(sample());
    Path half = directory.resolve("half.jar");
    Files.write(half, Arrays.copyOf(whole, whole.length / 2));
    fails(serve(half), "the plugin " + half + " is not a jar");
  }

  @Test
  void aJarWithoutEndpointsIsNamed() throws Exception {
    Path classes = PluginSource.of("Sample").classes(directory);
    Path unlisted = PluginSource.jar(directory, classes);
    String services = "META-INF/services/dev.peerbar.endpoint.EndpointType";
    fails(serve(unlisted), unlisted + " has no endpoint", services);
    Path others = PluginSource.jar(directory, classes, "dev.peerbar.devices.hbm.HbmType");
    fails(serve(others), others + " has no endpoint", services);
    Path comment = PluginSource.jar(directory, classes, "# nothing");
    fails(serve(comment), comment + " has no endpoint", services);
  }

  @Test
  void aClassThatIsNoTypeIsNamed() throws Exception {
    Path classes = PluginSource.of("Sample").classes(directory);
    fails(
        serve(PluginSource.jar(directory, classes, "sample.Missing")),
        "cannot be used: Provider sample.Missing not found");
    fails(
        serve(PluginSource.jar(directory, classes, "sample.Sample$Served")),
        "cannot be used: sample.Sample$Served not a subtype");
    fails(
        serve(PluginSource.jar(directory, classes, "not a name")),
        "cannot be used",
        "Illegal configuration-file syntax");
    fails(
        serve(
            PluginSource.of("Hidden")
                .with("public String name()", "private Hidden() {} public String name()")
                .jar(directory)),
        "cannot be used",
        "sample.Hidden");
  }

  @Test
  void aClassOfANewerJavaIsNamed() throws Exception {
    Path classes = PluginSource.of("Sample").classes(directory);
    Path file = classes.resolve("sample/Sample.class");
    byte[] bytes = Files.readAllBytes(file);
    bytes[MAJOR_VERSION] += 1;
    Files.write(file, bytes);
    int version = Runtime.version().feature();
    fails(
        serve(PluginSource.jar(directory, classes, "sample.Sample")),
        "is compiled for a newer Java than %d: compile it with --release %d"
            .formatted(version, version));
  }

  @Test
  void aNewerClassOfAnEndpointIsNamedWhenItIsMade() throws Exception {
    Path classes = PluginSource.of("Sample").classes(directory);
    Path file = classes.resolve("sample/Sample$Served.class");
    byte[] bytes = Files.readAllBytes(file);
    bytes[MAJOR_VERSION] += 1;
    Files.write(file, bytes);
    fails(
        serve(PluginSource.jar(directory, classes, "sample.Sample")),
        "the endpoint 'sample' of",
        "UnsupportedClassVersionError");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"public Sample() %s", "static %s", "int field = number(); int number() %s"})
  void aTypeThatThrowsWhenMadeIsNamed(String where) throws Exception {
    String thrown = "{ if (true) throw new IllegalStateException(\"boom\"); %s}";
    String body = thrown.formatted(where.contains("number") ? "return 0; " : "");
    Path jar =
        PluginSource.of("Sample")
            .with("public String name()", where.formatted(body) + " public String name()")
            .jar(directory);
    fails(serve(jar), "the plugin " + jar + " cannot be used", "sample.Sample");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "Sample", "sam ple", "--sample", "../sample", "7"})
  void aNameThatCannotBeIsTold(String name) throws Exception {
    Path jar =
        PluginSource.of("Sample").with("\"sample\"", "\"%s\"".formatted(name)).jar(directory);
    fails(serve(jar), "sample.Sample is called '%s'".formatted(name));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "return \"sample\"; | return null; | is called 'null'",
        "return \"sample\"; | throw new IllegalStateException(\"boom\"); | boom (at sample.Sample",
        "\"level\" | \"trace\" | has an option 'trace', which there is already",
        "\"level\" | \"type\" | has an option 'type', which there is already",
        "\"level\" | \"socket-path\" | has an option 'socket-path', which there is already",
        "\"level\" | \"plugin\" | has an option 'plugin', which there is already",
        "\"level\" | \"help\" | has an option 'help', which there is already",
        "\"level\" | \"room\" | has an option 'room', which there is already",
        "\"level\" | \"le vel\" | has an option 'le vel', which is not of lower-case",
        "return List.of( | return true ? null : List.of( | null for options",
      })
  void aTypeThatDeclaresWhatCannotBeIsTold(String part, String other, String sentence)
      throws Exception {
    Path jar = PluginSource.of("Sample").with(part, other).jar(directory);
    fails(serve(jar), "the plugin " + jar + " cannot be used: ", sentence);
  }

  @Test
  void twoOfOneNameAreTold() throws Exception {
    Path hbm = PluginSource.of("Sample").with("\"sample\"", "\"hbm\"").jar(directory);
    fails(serve(hbm), hbm + " has an endpoint type 'hbm', and so has this program");
    Path first = sample();
    Path second = PluginSource.of("Other").jar(directory);
    fails(
        serve(first, "--plugin=" + second),
        second + " has an endpoint type 'sample', and so has " + first);
    isServed(serve(first, "--plugin=" + first));
  }

  /** The type's own sentence, for whoever gave the options; all else is the author's mistake. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "return context -> | throw new IllegalStateException(\"boom\"); //",
        "new Served(level) | { throw new IllegalStateException(\"boom\"); }",
        "new Served(level) | { throw new StackOverflowError(\"boom\"); }",
        "new Served(level) | { throw new NoClassDefFoundError(\"boom\"); }",
        "new Served(level) | null",
        "return context -> new Served(level); | return null;",
        "{ return function; } | { throw new IllegalStateException(\"boom\"); }",
        "{ return function; } | { return null; }",
        "start(Host host) {} | start(Host host) { throw new IllegalStateException(\"boom\"); }",
      })
  void anEndpointThatFailsIsTold(String part, String other) throws Exception {
    Path jar = PluginSource.of("Sample").with(part, other).jar(directory);
    Outcome outcome = serve(jar);
    fails(outcome, "the endpoint 'sample' of " + jar + " failed: ");
    if (other.contains("boom")) {
      assertThat(outcome.errors()).contains("boom (at sample.Sample");
    }
  }

  @Test
  void optionsThatDoNotGoTogetherGetTheUsage() throws Exception {
    String refusal =
        "if (level == 7) throw new IllegalArgumentException(\"Not 7.\"); return context ->";
    Path jar = PluginSource.of("Sample").with("return context ->", refusal).jar(directory);
    Outcome outcome = serve(jar);
    assertThat(outcome.errors()).startsWith("Not 7.").contains("Usage: peerbar serve sample");
    assertThat(outcome.status()).isEqualTo(WRONG_USAGE);
    isServed(serve(jar, "--level=8"));
  }

  @Test
  void whatAnEndpointCannotHaveIsTold() throws Exception {
    String image = "{ context.image(java.nio.file.Path.of(\"none\")); return new Served(level); }";
    Path jar = PluginSource.of("Sample").with("new Served(level)", image).jar(directory);
    fails(serve(jar), "there is no image none");
  }

  private Outcome file(String text, Object... values) throws IOException {
    Path file = Files.writeString(directory.resolve("config.yaml"), text.formatted(values));
    return run("serve", "--config=" + file);
  }

  /** Wherever the list stands, and wherever the program was started. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{plugins: [%s], endpoints: [{type: sample, socket-path: /none/s, level: 8}]}",
        "{endpoints: [{type: sample, room: 1M, socket-path: /none/s}], plugins: [./%s]}"
      })
  void aFileNamesItsPlugins(String text) throws Exception {
    isServed(file(text, sample().getFileName()));
  }

  @Test
  void aFileMayNeedThePluginsOfTheCommandLine() throws Exception {
    Path file =
        Files.writeString(
            directory.resolve("config.yaml"), "endpoints: [{type: sample, socket-path: /none/s}]");
    isServed(run("serve", "--plugin=" + sample(), "--config=" + file));
    fails(
        run("serve", "--config=" + file),
        "(line 1): there is no endpoint type 'sample'; there are gpu, hbm, ioat, nvme");
  }

  private static Stream<String> wrongFiles() {
    return Stream.of(
        "plugins: 7 | not of the form",
        "plugins: [[7]] | not of the form",
        "plugins: [none.jar] | there is no plugin ",
        "plugins: [null] | a plugin has no path",
        "plugin: [none.jar] | there is no option 'plugin'; there are endpoints, plugins");
  }

  @ParameterizedTest
  @MethodSource("wrongFiles")
  void whatIsWrongWithTheListIsNamed(String text) throws Exception {
    String[] parts = text.split(" \\| ");
    fails(file("endpoints: [{type: hbm, socket-path: /none/s}]\n" + parts[0]), parts[1]);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "level: high | (line 2): 'high' does not belong there",
        "level: [1] | (line 2): what stands there is not of the form that belongs there",
        "room: big | 'big' is not a size such as 64K, 256M or 4G",
        "light: dim | 'dim' is neither on nor off",
        "doorbells: none | (line 2): 'none' does not belong there",
        "colour: red | there is no option 'colour'; there are allow-uid, busy-poll, doorbells, inject, left",
      })
  void whatIsWrongWithAnOptionOfAPluginIsNamed(String option, String sentence) throws Exception {
    fails(
        file(
            "plugins: [%s]\nendpoints: [{type: sample, socket-path: /none/s, %s}]",
            sample(), option),
        sentence);
  }
}
