package dev.peerbar.scenario.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.Evidence;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Problem;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextReportTest {
  private static final Path LOGS = Path.of("/logs");

  private final StringWriter said = new StringWriter();
  private final TextReport report = new TextReport(new PrintWriter(said), MadeUpRun.REPEAT);

  /** Without the time that it took to make all this up. */
  private String text() {
    return said.toString().replaceAll(" in [0-9.]+ s\\b", " in N s");
  }

  @Test
  void aLineAScenarioAndMoreOfAFailure() {
    MadeUpRun run = new MadeUpRun(LOGS, 1);
    run.in("first")
        .with("a.passes", new Outcome.Passed("5 of 5"))
        .with("a.is-skipped", new Outcome.Skipped("there is no fifth"))
        .with(
            "a.fails",
            new Outcome.Failed(
                List.of(
                    new Problem(Problem.Kind.UNEXPECTED, "4 of 5\nand no more"),
                    new Problem(Problem.Kind.LEFT_BEHIND, "64 KiB mapped")),
                new Evidence(
                    List.of("mmap() = 0", "read() ..."),
                    List.of("vfio_pci_read+0x10"),
                    List.of("-3.1 ms hbm-a: DMA_MAP"),
                    LOGS.resolve("guest-1"))))
        .with("a.skipped-too", new Outcome.Skipped("there is no fifth"))
        .withGuests(new Problem(Problem.Kind.COMPLAINT, "kernel.log: BUG"))
        .tell(report);
    assertThat(text())
        .isEqualTo(
            """
            4 trials in 1 setting, seed 7

            first.one-switch.intel-iommu.amd-cpu
              guest 1 is up after 2.1 s
                  before any scenario, kernel.log: a bad # BIOS\\x00
                    is here
              ok      a.passes          1.23 s  5 of 5
              SKIP    a.is-skipped      1.23 s  there is no fifth
              FAILED  a.fails           1.23 s  saw: 4 of 5
                  tried: do it
                  expected: it is done
                  saw: 4 of 5
                    and no more
                  left behind: 64 KiB mapped
                  the agent's last calls:
                    mmap() = 0
                    read() ...
                  where calls hung in the guest's kernel:
                    vfio_pci_read+0x10
                  what the endpoints saw and did last:
                    -3.1 ms hbm-a: DMA_MAP
                  logs: /logs/guest-1
                  repeat: ./peerbar scenarios --only=a.fails --topology=one-switch --seed=7 '--kernel=/a kernel'
              guest 2 is up after 2.1 s
              SKIP    a.skipped-too     1.23 s  there is no fifth
              FAILED  its guests
                  complaint: kernel.log: BUG

            skipped 2 times, because there is no fifth: a.is-skipped, a.skipped-too
            failed: a.fails in first.one-switch.intel-iommu.amd-cpu
            failed: the guests of first.one-switch.intel-iommu.amd-cpu
            1 passed, 1 failed, 2 skipped in N s; 2 guests, seed 7
            """);
  }

  @Test
  void ofMuchEvidenceTheLastIsTold() {
    List<String> calls = IntStream.rangeClosed(1, 64).mapToObj(i -> "call " + i).toList();
    new MadeUpRun(LOGS, 1)
        .in("first")
        .with(
            "a.fails",
            new Outcome.Failed(
                List.of(new Problem(Problem.Kind.TIME_LIMIT, "it had 1 s")),
                new Evidence(calls, List.of(), List.of(), LOGS)))
        .tell(report);
    assertThat(text())
        .contains("calls:\n        (52 earlier)\n        call 53\n", "call 64")
        .doesNotContain("call 52");
  }

  @Test
  void aGuestThatDoesNotBootIsToldOnce() {
    MadeUpRun run = new MadeUpRun(LOGS, 1);
    Problem none = new Problem(Problem.Kind.NO_GUEST, "QEMU ended with status 1");
    run.in("first")
        .with("a.fails", run.failed(none.kind(), none.text()))
        .withGuests(none)
        .tell(report);
    assertThat(text())
        .contains(
            """
              guest 1 did not boot, 2.1 s
                  no guest: QEMU ended with status 1
                  logs: /logs/guest-1
              FAILED  a.fails     1.23 s  no guest: QEMU ended with status 1
            """)
        .doesNotContain("its guests");
  }

  @Test
  void roundsHaveNamesAndSeedsOfTheirOwn() {
    MadeUpRun run = new MadeUpRun(LOGS, 3);
    run.in("first").with("a.fails", run.failed(Problem.Kind.TIME_LIMIT, "it had 1 s")).tell(report);
    assertThat(text())
        .contains("3 trials", "a.fails (round 3)", "--seed=7 ", "--seed=9 ", "3 guests, seed 7");
  }

  @Test
  void aKernelIsCalledByItsName(@TempDir Path logs) throws Exception {
    Files.createDirectories(logs.resolve("guest-1"));
    Files.write(
        logs.resolve("guest-1").resolve("console.log"),
        "\u00ff\u0000SeaBIOS\r\n[    0.0] Linux version 6.18.2-x (a@b)\r\n"
            .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
    new MadeUpRun(logs, 1).in("first").with("a.passes", new Outcome.Passed("all")).tell(report);
    assertThat(text()).contains("guest 1 (Linux 6.18.2-x) is up after 2.1 s");
  }

  @Test
  void whatIsNoTextIsNotPrinted() {
    MadeUpRun.ofEverything(LOGS, MadeUpRun.HOSTILE.repeat(10_000)).tell(report);
    assertThat(said.toString())
        .doesNotContainPattern("[\\p{Cntrl}&&[^\n]]")
        .hasSizeLessThan(3_000_000);
  }
}
