package dev.peerbar.scenario;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.CpuModel;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.scenario.Problem.Kind;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.report.Repeat;
import dev.peerbar.scenario.report.Reports;
import dev.peerbar.scenario.report.TextReport;
import dev.peerbar.server.EndpointServer;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Scenarios that fail in every way there is, in one run: each is reported as what it is, and those
 * between them pass.
 */
@Tag("guest")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RunnerTest {
  private static final Path LOGS = Path.of("target", "lab-logs", "runner");

  /** Generous for what ends, and waited for whole by what does not. */
  private static final Duration LIMIT = Duration.ofSeconds(15);

  private static volatile boolean runIsOver;

  /** So that it is looked at, and not only said to be. */
  private static volatile int lastSeen;

  private final Map<String, ScenarioResult> results = new LinkedHashMap<>();
  private final List<BootResult> boots = new ArrayList<>();
  private final List<GroupEnd> ends = new ArrayList<>();

  /** What a scenario of a test does. */
  private static Case<HbmPair> scenario(
      String name, Case.Body<HbmPair> body, Requirement... needs) {
    return Case.on(HbmPair.KIND, "test." + name, "try " + name, "what it is about", body)
        .needing(needs);
  }

  /** One that gives nothing, in a guest whose kernel says why. */
  private record Unopened() implements Scenario<HbmPair>, FixtureKind<HbmPair> {
    @Override
    public Description description() {
      return Description.of("test.unopened", "try nothing", "what it is about");
    }

    @Override
    public FixtureKind<HbmPair> fixture() {
      return this;
    }

    @Override
    public String run(HbmPair pair) {
      return "nothing";
    }

    @Override
    public String name() {
      return "unopened";
    }

    @Override
    public List<Setting> settings(Place place) {
      return List.of(new Setting(name(), place.topology(), Viommu.INTEL, CpuModel.AMD));
    }

    @Override
    public Fixture<HbmPair> start(
        LabFiles files, Setting setting, UnaryOperator<VirtualMachine> machine, Path logs)
        throws IOException {
      Fixture<HbmPair> whole = HbmPair.KIND.start(files, setting, machine, logs);
      return new Fixture<>() {
        @Override
        public Lab lab() {
          return whole.lab();
        }

        @Override
        public List<EndpointServer> servers() {
          return whole.servers();
        }

        @Override
        public HbmPair open(Run run) throws Exception {
          provokesAWarning(whole.open(run));
          throw new IOException("there is nothing to open");
        }

        @Override
        public List<String> release(HbmPair environment) {
          throw new AssertionError();
        }

        @Override
        public void close() throws IOException {
          whole.close();
        }
      };
    }
  }

  /** Those that pass and leave a guest that is of no use. */
  private static final int SPENT = 2;

  private static final Requirement UNOBTAINABLE = _ -> Optional.of("it cannot be had");

  @BeforeAll
  void runAll() throws Exception {
    List<Scenario<?>> scenarios =
        List.of(
            scenario("first", _ -> "nothing"),
            scenario("unexpected", RunnerTest::seesSomethingElse),
            scenario("after-unexpected", _ -> "nothing"),
            scenario("error", RunnerTest::asksForTheImpossible),
            scenario("hangs", RunnerTest::hangsInTheKernel),
            scenario("after-hangs", _ -> "nothing"),
            scenario("spins", RunnerTest::neverEnds),
            scenario("mapping", RunnerTest::leavesAMapping),
            scenario("after-mapping", _ -> "nothing"),
            scenario("descriptor", p -> "eventfd " + p.guest().eventFd().fd()),
            scenario("dmabuf", RunnerTest::leavesADmaBuf),
            scenario("warning", RunnerTest::provokesAWarning),
            scenario("allowed-warning", RunnerTest::provokesAnExpectedWarning),
            scenario("not-allowed-any-more", RunnerTest::provokesAWarning),
            scenario("guest-ends", RunnerTest::endsTheGuest),
            scenario("spends-guest", RunnerTest::turnsTheGuestOff).spendingGuest(),
            scenario("leaves-it-spent", RunnerTest::leavesADmaBufAndAMeasure).spendingGuest(),
            scenario("skipped", _ -> "nothing", UNOBTAINABLE),
            scenario("last", _ -> "nothing"),
            new Unopened());
    RunListener listener =
        new RunListener() {
          @Override
          public void booted(BootResult boot) {
            boots.add(boot);
          }

          @Override
          public void scenarioEnded(ScenarioResult result) {
            results.put(result.scenario().name().substring("test.".length()), result);
          }

          @Override
          public void groupEnded(GroupEnd end) {
            ends.add(end);
          }
        };
    LabFiles files = Setup.ofUser(SetupOutput.toStandardError()).run();
    Files.createDirectories(LOGS);
    // For a person who looks what went wrong.
    try (PrintWriter told = new PrintWriter(LOGS.resolve("report.txt").toFile(), UTF_8);
        Reports reports =
            new Reports(
                List.of(listener, new TextReport(told, Repeat.byScenarios(List.of(), false))))) {
      new Runner(files, new Runner.Options(LIMIT, 1, LOGS), reports)
          .run(Plan.of(scenarios, List.of("one-switch"), 1));
    } finally {
      runIsOver = true;
    }
  }

  private static String seesSomethingElse(HbmPair pair) throws Exception {
    int id = pair.a().read(HbmRegisters.ID);
    throw new UnexpectedException("0x%x".formatted(id));
  }

  private static String asksForTheImpossible(HbmPair pair) throws Exception {
    return pair.guest().system().readText("/no/such/file");
  }

  private static String hangsInTheKernel(HbmPair pair) throws Exception {
    pair.guest().run("busybox", "mkfifo", "/tmp/nobody-writes");
    return "descriptor " + pair.guest().system().open("/tmp/nobody-writes");
  }

  /** Nor when it is interrupted: it goes on to look at an endpoint's memory. */
  private static String neverEnds(HbmPair pair) throws Exception {
    provokesAWarning(pair);
    while (!runIsOver) {
      lastSeen = pair.memoryOfA().get(ValueLayout.JAVA_INT, 0);
    }
    return "the end of the run";
  }

  private static String leavesAMapping(HbmPair pair) throws Exception {
    return "at " + pair.ioas().map(pair.guest().allocate(64 << 10)).iova();
  }

  private static String leavesADmaBuf(HbmPair pair) throws Exception {
    return "descriptor "
        + pair.deviceA().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, 1 << 20).fd();
  }

  private static String provokesAWarning(HbmPair pair) throws Exception {
    pair.guest().system().writeText("/dev/kmsg", "<4>WARNING: on purpose\n");
    return "nothing";
  }

  private static String provokesAnExpectedWarning(HbmPair pair) throws Exception {
    pair.run().mayComplain(line -> line.endsWith("WARNING: on purpose"));
    return provokesAWarning(pair);
  }

  private static String endsTheGuest(HbmPair pair) throws Exception {
    pair.guest().system().powerOff();
    pair.a().read(HbmRegisters.ID);
    return "it lives";
  }

  private static String turnsTheGuestOff(HbmPair pair) throws Exception {
    pair.guest().system().powerOff();
    return "nothing";
  }

  private static String leavesADmaBufAndAMeasure(HbmPair pair) throws Exception {
    leavesADmaBuf(pair);
    pair.run().record("buffers left", 1);
    pair.run().record("time", Duration.ofMillis(1500));
    return "nothing";
  }

  private List<Kind> problems(String name) {
    return failed(name).problems().stream().map(Problem::kind).toList();
  }

  private Outcome.Failed failed(String name) {
    assertThat(results.get(name).outcome()).isInstanceOf(Outcome.Failed.class);
    return (Outcome.Failed) results.get(name).outcome();
  }

  @Test
  void theOthersPass() {
    for (String name :
        List.of(
            "first",
            "after-unexpected",
            "after-hangs",
            "after-mapping",
            "allowed-warning",
            "spends-guest",
            "leaves-it-spent",
            "last")) {
      assertThat(results.get(name).outcome()).as(name).isEqualTo(new Outcome.Passed("nothing"));
    }
  }

  @Test
  void somethingElseSeen() {
    assertThat(failed("unexpected").problems())
        .containsExactly(
            new Problem(Kind.UNEXPECTED, "0x%x".formatted((int) HbmRegisters.ID_VALUE)));
    assertThat(failed("unexpected").evidence().messages())
        .anyMatch(line -> line.contains("hbm-a: REGION_READ"));
  }

  @Test
  void aCallRefused() {
    assertThat(failed("error").problems())
        .containsExactly(new Problem(Kind.ERROR, "open /no/such/file: ENOENT"));
  }

  @Test
  void timeIsLimited() {
    assertThat(problems("hangs")).containsExactly(Kind.TIME_LIMIT);
    assertThat(problems("spins")).containsExactly(Kind.TIME_LIMIT, Kind.COMPLAINT);
    assertThat(failed("hangs").evidence().calls())
        .last()
        .asString()
        .contains("/tmp/nobody-writes")
        .contains("under way");
    assertThat(failed("hangs").evidence().hung())
        .singleElement()
        .asString()
        .contains("/tmp/nobody-writes");
  }

  @Test
  void whatIsLeftBehind() {
    assertThat(problems("mapping")).contains(Kind.LEFT_BEHIND);
    assertThat(failed("mapping").problems())
        .contains(new Problem(Kind.LEFT_BEHIND, "64 KiB mapped for the functions"));
    assertThat(problems("descriptor")).containsExactly(Kind.LEFT_BEHIND);
    assertThat(problems("dmabuf")).contains(Kind.LEFT_BEHIND);
  }

  @Test
  void complaintsAreInScope() {
    for (String name : List.of("warning", "not-allowed-any-more")) {
      assertThat(failed(name).problems())
          .singleElement()
          .satisfies(p -> assertThat(p.kind()).isEqualTo(Kind.COMPLAINT))
          .satisfies(p -> assertThat(p.text()).endsWith("WARNING: on purpose"));
    }
  }

  @Test
  void aGuestThatIsGone() {
    assertThat(problems("guest-ends")).contains(Kind.NO_GUEST);
  }

  @Test
  void whatIsMissing() {
    assertThat(results.get("skipped").outcome()).isEqualTo(new Outcome.Skipped("it cannot be had"));
  }

  @Test
  void whatWasRecorded() {
    assertThat(results.get("leaves-it-spent").measures())
        .containsExactly(new Measure("buffers left", 1, ""), new Measure("time", 1500, "ms"));
  }

  @Test
  void aGuestForEachThatFailsOrSpendsIt() {
    long failed =
        results.values().stream().filter(r -> r.outcome() instanceof Outcome.Failed).count();
    // The last that failed had one to itself, and none came after it.
    assertThat(boots).hasSize((int) failed + SPENT + 1);
    assertThat(boots).allSatisfy(b -> assertThat(b.failure()).isEmpty());
    assertThat(ends).hasSize(2).allSatisfy(e -> assertThat(e.problems()).isEmpty());
  }

  @Test
  void noEnvironment() {
    assertThat(failed("unopened").problems())
        .satisfiesExactly(
            error -> assertThat(error.text()).isEqualTo("there is nothing to open"),
            complaint -> assertThat(complaint.kind()).isEqualTo(Kind.COMPLAINT));
  }
}
