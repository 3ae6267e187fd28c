package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeType;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.server.Polling;
import dev.peerbar.server.ServerOptions;
import dev.peerbar.server.storage.ImageFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** What people are told who ask {@code peerbar serve} wrongly, and the exit status. */
@Timeout(60)
final class ServeCommandTest {
  private static final int FAILED = 1;
  private static final int WRONG_USAGE = 2;

  @TempDir private Path directory;

  private record Outcome(int status, String errors) {}

  private static Outcome run(String... arguments) {
    StringWriter errors = new StringWriter();
    CommandLine commandLine = Main.commandLine();
    commandLine.setErr(new PrintWriter(errors, true));
    return new Outcome(commandLine.execute(arguments), errors.toString());
  }

  private static void wrongUsage(String... arguments) {
    Outcome outcome = run(arguments);
    assertThat(outcome.status()).isEqualTo(WRONG_USAGE);
    assertThat(outcome.errors()).contains("Usage: peerbar");
  }

  /** One line that names what is wrong. */
  private static void fails(String what, String... arguments) {
    Outcome outcome = run(arguments);
    assertThat(outcome.errors()).startsWith("peerbar: ").contains(what).hasLineCount(1);
    assertThat(outcome.status()).isEqualTo(FAILED);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "serve",
        "serve nonsense",
        "serve hbm",
        "serve hbm --fd",
        "serve hbm --fd=x",
        "serve hbm --socket-path=a --fd=3",
        "serve hbm --socket-path=a --what",
        "serve hbm --socket-path=a extra",
        "serve --config"
      })
  void wrongOptionsGetTheUsage(String line) {
    wrongUsage(line.isEmpty() ? new String[0] : line.split(" "));
  }

  @Test
  void aMisspeltCommandIsGuessed() {
    Outcome outcome = run("sreve");
    assertThat(outcome.status()).isEqualTo(WRONG_USAGE);
    assertThat(outcome.errors()).contains("Did you mean: peerbar serve");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--bar-size=3M",
        "--bar-size=512K",
        "--bar-size=128G",
        "--bar-size=x",
        "--bar-size=-1",
        "--bar-size=1.5G",
        "--bar-size=99999999999T",
        "--bar-size=",
        "--channels=0",
        "--channels=17",
        "--channels=x",
        "--doorbells=maybe",
        "--scrub-on-reset=2",
        "--busy-poll=2",
        "--poll=x",
        "--poll x",
        "--poll=",
        "--poll=-1",
        "--poll -1",
        "--poll=0x1",
        "--poll=1.5",
        "--poll=9999999999",
        "--poll --poll",
        "--poll --poll-idle",
        "--poll --poll-idle=",
        "--poll --poll-idle=0ms",
        "--poll --poll-idle=-1ms",
        "--poll --poll-idle=10",
        "--poll --poll-idle=1.5ms",
        "--poll --poll-idle=99999999us",
        "--poll --poll-idle=soon",
        "--poll-idle=10ms",
        "--poll=false --poll-idle=10ms",
        "--max-dma-maps=many",
        "--max-dma-maps=",
        "--max-dma-maps=1.5",
        "--max-dma-maps=99999999999999999999",
        "--socket-mode=rw",
        "--socket-mode=0888",
        "--socket-mode=07777",
        "--socket-mode=",
        "--allow-uid=root",
        "--allow-uid=-1",
        "--allow-uid=4294967295"
      })
  void wrongValuesGetTheUsage(String options) {
    List<String> line = new ArrayList<>();
    line.addAll(List.of("serve", "hbm", "--socket-path=" + directory.resolve("s")));
    line.addAll(List.of(options.split(" ")));
    wrongUsage(line.toArray(new String[0]));
    assertThat(directory.resolve("s")).doesNotExist();
  }

  private static List<EndpointSpec> endpoints(Path file) {
    return EndpointFile.read(file, EndpointTypes.builtIn()).endpoints();
  }

  private static boolean shadowDoorbells(EndpointOptions options) {
    return new NvmeType().configure(options).config().shadowDoorbells();
  }

  @Test
  void onlyWhoAsksForItIsPolledForAndTrusted() throws Exception {
    Path file =
        Files.writeString(
            directory.resolve("polled.yaml"),
            """
            endpoints:
              - {type: hbm, socket-path: a.sock, busy-poll: true, trust-memory: true, inject: true}
              - {type: nvme, socket-path: b.sock, size: 1M}
            """);
    assertThat(endpoints(file))
        .extracting(endpoint -> endpoint.serving().options().busyPoll())
        .containsExactly(ServerOptions.BUSY_POLL, Duration.ZERO);
    assertThat(endpoints(file))
        .extracting(endpoint -> endpoint.serving().options().trustMemory())
        .containsExactly(true, false);
    assertThat(endpoints(file))
        .extracting(endpoint -> endpoint.serving().options().inject())
        .containsExactly(true, false);
  }

  private static Optional<Polling> polling(String options) {
    CommandLine hbm = EndpointCommand.of(EndpointTypes.builtIn().find("hbm").orElseThrow());
    hbm.parseArgs(options.split(" "));
    EndpointCommand command = hbm.getCommand();
    return command.serving().options().polling();
  }

  /** Whatever comes behind an option whose value may be left out. */
  @Test
  void howToPollIsSaidOnTheCommandLine() {
    Polling first = Polling.ALWAYS.on(0);
    Polling tired = Polling.ALWAYS.until(Duration.ofMillis(10));
    assertThat(polling("--socket-path=s")).isEmpty();
    assertThat(polling("--poll --socket-path=s")).contains(Polling.ALWAYS);
    assertThat(polling("--poll --socket-path s")).contains(Polling.ALWAYS);
    assertThat(polling("--socket-path=s --poll")).contains(Polling.ALWAYS);
    assertThat(polling("--fd=3 --poll")).contains(Polling.ALWAYS);
    assertThat(polling("--poll=0 --socket-path=s")).contains(first);
    assertThat(polling("--poll 0 --socket-path=s")).contains(first);
    assertThat(polling("--poll=true --socket-path=s")).contains(Polling.ALWAYS);
    assertThat(polling("--poll=false --socket-path=s")).isEmpty();
    assertThat(polling("--poll --poll-idle=10ms --socket-path=s")).contains(tired);
    assertThat(polling("--poll-idle=10000us --poll --socket-path=s")).contains(tired);
    assertThat(polling("--poll=4095 --poll-idle=1s --socket-path=s"))
        .contains(Polling.ALWAYS.on(4095).until(Duration.ofSeconds(1)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "`` | false | |",
        "`poll: true` | true | |",
        "`poll: false` | false | |",
        "`poll: 'true'` | true | |",
        "`poll:` | false | |",
        "`poll: 0` | true | 0 |",
        "`poll: 4095` | true | 4095 |",
        "`poll: true, poll-idle: 10ms` | true | | PT0.01S",
        "`poll-idle: 50us, poll: 1` | true | 1 | PT0.00005S",
        "`poll: 1, poll-idle: 1s` | true | 1 | PT1S",
        "`poll: true, poll-idle:` | true | |",
      })
  void howToPollIsSaidInAFile(String options, boolean polled, Integer cpu, Duration idle)
      throws Exception {
    Path file = config("endpoints: [{type: hbm, socket-path: s, %s}]".formatted(options));
    Optional<Polling> polling = endpoints(file).getFirst().serving().options().polling();
    assertThat(polling.isPresent()).isEqualTo(polled);
    assertThat(polling.flatMap(Polling::idle)).isEqualTo(Optional.ofNullable(idle));
    assertThat(polling.map(Polling::cpu).orElse(OptionalInt.empty()))
        .isEqualTo(cpu == null ? OptionalInt.empty() : OptionalInt.of(cpu));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "`poll: -1` | '-1' is neither the number of a processor, such as 1, nor true or false",
        "`poll: on` | 'on' is neither the number of a processor, such as 1, nor true or false",
        "`poll: 9999999999` | '9999999999' is neither the number of a processor",
        "`poll: [1]` | what stands there is not of the form that belongs there",
        "`poll-idle: 10` | '10' is no time, such as 50us, 90ms, 4s or 2m",
        "`poll-idle: 0ms` | '0ms' is no time at all: 1us is the least",
        "`poll-idle: 10ms` | add poll, or leave poll-idle out",
      })
  void theLineOfWrongPollingIsNamed(String option, String sentence) throws Exception {
    Path file =
        config(
            """
            endpoints:
              - type: hbm
                socket-path: a.sock
                %s
                channels: 1
            """
                .formatted(option));
    fails(file + " (line 4): ", "serve", "--config=" + file);
    fails(sentence, "serve", "--config=" + file);
  }

  /** Said before anything is made or changed. */
  @ParameterizedTest
  @ValueSource(strings = {"--socket-path=%s/s", "--fd=987654"})
  void aProcessorThatThisProcessHasNotIsNamed(String place) throws Exception {
    String sentence =
        "this process may not run on processor 8191: poll on one of %s, or name none"
            .formatted(AllowedProcessors.here());
    Path trace = directory.resolve("trace.json");
    String where = place.formatted(directory);
    fails(sentence, "serve", "hbm", where, "--poll=8191", "--trace=" + trace);
    assertThat(trace).doesNotExist();
    Path served = directory.resolve("s");
    Path file =
        config(
            "endpoints: [{type: hbm, socket-path: %s}, {type: hbm, socket-path: t, poll: 8191}]"
                .formatted(served));
    fails(sentence, "serve", "--config=" + file);
    assertThat(served).doesNotExist();
  }

  /** What YAML 1.1 takes for truth values, and the same words as text. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "`` | true",
        "`doorbells: map` | false",
        "`shadow-doorbells: on` | true",
        "`shadow-doorbells: off` | false",
        "`shadow-doorbells: 'on'` | true",
        "`shadow-doorbells: \"off\"` | false",
        "`shadow-doorbells: true` | true",
        "`shadow-doorbells: false` | false",
        "`shadow-doorbells: Off` | false",
        "`doorbells: map, shadow-doorbells: on` | true",
        "`doorbells: trap, shadow-doorbells: off` | false",
      })
  void shadowDoorbellsInAFile(String options, boolean expected) throws Exception {
    Path file =
        config("endpoints: [{type: nvme, socket-path: s, size: 1M, %s}]".formatted(options));
    assertThat(shadowDoorbells(endpoints(file).getFirst().options())).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "--lba=512, true",
    "--doorbells=map, false",
    "--shadow-doorbells=on, true",
    "--shadow-doorbells=off, false",
    "--doorbells=map --shadow-doorbells=on, true",
    "--doorbells=map --shadow-doorbells=off, false"
  })
  void shadowDoorbellsOnTheCommandLine(String options, boolean expected) {
    CommandLine nvme = EndpointCommand.of(EndpointTypes.builtIn().find("nvme").orElseThrow());
    nvme.setCaseInsensitiveEnumValuesAllowed(true);
    nvme.parseArgs(("--socket-path=s " + options).split(" "));
    EndpointCommand command = nvme.getCommand();
    assertThat(shadowDoorbells(command.given())).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "16777217", "2M", "lots"})
  void howManyMappingsThereMayBeIsSaid(String number) {
    String socket = "--socket-path=" + directory.resolve("s");
    Outcome outcome = run("serve", "nvme", socket, "--max-dma-maps=" + number);
    assertThat(outcome.status()).isEqualTo(WRONG_USAGE);
    assertThat(outcome.errors().lines().findFirst().orElseThrow())
        .contains("--max-dma-maps")
        .endsWith("'" + number + "' is not a number of mappings from 1 to 16777216");
    assertThat(directory.resolve("s")).doesNotExist();
  }

  @Test
  void aHeapThatMappingsCanFillIsSaid() {
    long heap = 512 << 20;
    assertThat(ServeCommand.heapTooSmall(2_097_152, heap)).isEmpty();
    assertThat(ServeCommand.heapTooSmall(2 * 2_097_152, heap))
        .contains(
            "4194304 DMA mappings may take 352 MiB, and the heap is 512 MiB: allow fewer"
                + " (--max-dma-maps) or give it more (JAVA_TOOL_OPTIONS=-Xmx705m)");
  }

  @Test
  void theMappingsThatWereAskedForAreServed() throws Exception {
    Path file =
        Files.writeString(
            directory.resolve("mappings.yaml"),
            """
            endpoints:
              - {type: hbm, socket-path: a.sock, max-dma-maps: 1}
              - {type: hbm, socket-path: b.sock, max-dma-maps: 16777216}
              - {type: nvme, socket-path: c.sock, size: 1M}
            """);
    assertThat(endpoints(file))
        .extracting(endpoint -> endpoint.serving().options().maxDmaMaps())
        .containsExactly(1, 16_777_216, 2_097_152);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--size=0",
        "--size=1000",
        "--size=x",
        "--size=-1",
        "--size=",
        "--size=1G --backing=image",
        "--lba=513",
        "--lba=1024",
        "--lba=4K",
        "--size=512 --lba=4096",
        "--cmb=3M",
        "--cmb=128G",
        "--cmb=1K",
        "--cmb=x",
        "--queues=0",
        "--queues=65",
        "--queues=x",
        "--doorbells=maybe",
        "--shadow-doorbells=maybe",
        "--shadow-doorbells",
        "--serial=123456789012345678901",
        "--serial=",
        "--serial=Zähler"
      })
  void wrongValuesOfNvmeGetTheUsage(String options) {
    List<String> line = new ArrayList<>();
    line.addAll(List.of("serve", "nvme", "--socket-path=" + directory.resolve("s")));
    line.addAll(List.of(options.split(" ")));
    wrongUsage(line.toArray(new String[0]));
    assertThat(directory.resolve("s")).doesNotExist();
  }

  @Test
  void anImageThatCannotBeServedIsNamed() throws Exception {
    Path missing = directory.resolve("none");
    servesNoImage("there is no image " + missing, missing);
    servesNoImage(directory + " is a directory", directory);
    Path empty = Files.createFile(directory.resolve("empty"));
    servesNoImage(empty + " is empty", empty);
    Path odd = Files.write(directory.resolve("odd"), new byte[1000]);
    servesNoImage(odd + " has 1000 bytes, which is no multiple of 512", odd);
    Path small = Files.write(directory.resolve("small"), new byte[4096 + 512]);
    servesNoImage(small + " has 4608 bytes, which is no multiple of its 4096-byte", small);
    Path used = Files.write(directory.resolve("used"), new byte[4096]);
    try (ImageFile _ = ImageFile.open(used)) {
      servesNoImage(used + " is in use", used);
    }
    servesNoImage("there is no image", Path.of(""));
  }

  private void servesNoImage(String what, Path image) {
    String socket = "--socket-path=" + directory.resolve("s");
    fails(what, "serve", "nvme", socket, "--lba=4096", "--backing=" + image);
    assertThat(directory.resolve("s")).doesNotExist();
  }

  @Test
  void anImageIsLetGoOfWhereNothingCanBeServed() throws Exception {
    Path image = Files.write(directory.resolve("image"), new byte[4096]);
    Path missing = directory.resolve("missing/s");
    fails(missing.toString(), "serve", "nvme", "--socket-path=" + missing, "--backing=" + image);
    ImageFile.open(image).close();
  }

  @Test
  void aPathThatCannotBeServedIsNamed() throws Exception {
    Path file = Files.writeString(directory.resolve("file"), "data");
    fails(file.toString(), "serve", "hbm", "--socket-path=" + file);
    Path missing = directory.resolve("missing/s");
    fails(missing.toString(), "serve", "hbm", "--socket-path=" + missing);
    Path tooLong = directory.resolve("x".repeat(120));
    fails("ENAMETOOLONG", "serve", "hbm", "--socket-path=" + tooLong);
    assertThat(file).hasContent("data");
  }

  @Test
  void aTraceThatCannotBeWrittenIsNamed() {
    Path missing = directory.resolve("missing/trace.json");
    String socket = "--socket-path=" + directory.resolve("s");
    fails(missing + " cannot be written", "serve", "hbm", socket, "--trace=" + missing);
    fails(directory + " cannot be written", "serve", "hbm", socket, "--trace=" + directory);
    assertThat(directory.resolve("s")).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 987654})
  void aDescriptorThatIsNotOpenIsNamed(int number) {
    fails(String.valueOf(number), "serve", "hbm", "--fd=" + number);
  }

  private Path config(String text) throws IOException {
    return Files.writeString(directory.resolve("config.yaml"), text);
  }

  @Test
  void aMissingConfigIsNamed() {
    Path missing = directory.resolve("none.yaml");
    fails(missing.toString(), "serve", "--config=" + missing);
  }

  @Test
  void aConfigThatIsADirectoryIsNamed() {
    fails(directory.toString(), "serve", "--config=" + directory);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "`endpoints: [` | line",
        "`` | No content",
        "`endpoints: []` | lists no endpoints",
        "`endpoints:` | lists no endpoints",
        "`{}` | endpoints",
        "`endpoints: 7` | line 1",
        "`other: 1` | endpoints",
        "`endpoints: [{type: warp, socket-path: s}]` | warp",
        "`endpoints: [{socket-path: s}]` | type",
        "`endpoints: [{type: hbm}]` | socket-path",
        "`endpoints: [{type: hbm, socket-path: s, colour: red}]` | colour",
        "`endpoints: [{type: hbm, socket-path: s, bar-size: 3X}]` | 3X",
        "`endpoints: [{type: hbm, socket-path: s, bar-size: 3M}]` | power of two",
        "`endpoints: [{type: hbm, socket-path: s, channels: many}]` | many",
        "`endpoints: [{type: hbm, socket-path: s, channels: 99}]` | 1 to 16",
        "`endpoints: [{type: hbm, socket-path: s, doorbells: maybe}]` | maybe",
        "`endpoints: [{type: hbm, socket-path: s, socket-mode: 0999}]` | 0999",
        "`endpoints: [{type: hbm, socket-path: s, allow-uid: [root]}]` | root",
        "`endpoints: [{type: hbm, socket-path: s, allow-uid: 0}]` | form",
        "`endpoints: [{type: hbm, socket-path: s, max-dma-maps: 0}]` | from 1 to 16777216",
        "`endpoints: [{type: hbm, socket-path: s, max-dma-maps: 16777217}]` | from 1 to 16777216",
        "`endpoints: [{type: hbm, socket-path: s, max-dma-maps: -5}]` | '-5'",
        "`endpoints: [{type: hbm, socket-path: s, max-dma-maps: many}]` | 'many'",
        "`endpoints: [{type: hbm, socket-path: s, max-dma-maps: [1]}]` | form",
        "`endpoints: [{type: nvme}]` | socket-path",
        "`endpoints: [{type: nvme, socket-path: s, size: 1G, backing: f}]` | not both",
        "`endpoints: [{type: nvme, socket-path: s, size: 1000}]` | 512-byte blocks",
        "`endpoints: [{type: nvme, socket-path: s, size: 1Q}]` | 1Q",
        "`endpoints: [{type: nvme, socket-path: s, backing: /none}]` | there is no image /none",
        "`endpoints: [{type: nvme, socket-path: s, lba: 7}]` | 512 or 4096",
        "`endpoints: [{type: nvme, socket-path: s, cmb: 3M}]` | power of two",
        "`endpoints: [{type: nvme, socket-path: s, queues: 99}]` | 1 to 64",
        "`endpoints: [{type: nvme, socket-path: s, doorbells: maybe}]` | maybe",
        "`endpoints: [{type: nvme, socket-path: s, shadow-doorbells: maybe}]` | neither on nor off",
        "`endpoints: [{type: nvme, socket-path: s, serial: 123456789012345678901}]` | 20 printable",
        "`endpoints: [{type: nvme, socket-path: s, channels: 1}]` | channels",
        "`endpoints: [null]` | socket-path",
        "`endpoints: [{type: hbm, socket-path: null}]` | socket-path",
      })
  void whatIsWrongInAConfigIsNamed(String text, String what) throws Exception {
    fails(what, "serve", "--config=" + config(text));
  }
}
