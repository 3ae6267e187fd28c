package dev.peerbar.lab.boot;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.boot.Lab.Complaint;
import dev.peerbar.lab.qemu.Qemu;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who answers for a line that should not be there: the boot, or what came after a mark. */
@Timeout(600)
@Tag("guest")
class LabComplaintsTest {
  /** More than a kernel's log holds by default, 128 KiB. */
  private static final int FLOOD = 160;

  @TempDir Path logs;
  private Lab lab;

  /** A guest whose kernel and whose QEMU find something to say before it is up. */
  @BeforeEach
  void boot() throws Exception {
    VirtualMachine machine =
        VirtualMachine.of(Topology.named("one-switch"))
            .withKernelArguments("no_hash_pointers")
            .withArguments("-global", "no-such-device.nothing=1");
    lab = Lab.boot(Setup.ofUser(SetupOutput.toStandardError()).run(), machine, logs);
  }

  @AfterEach
  void end() throws Exception {
    lab.close();
  }

  private void kernelSays(String line) throws IOException {
    lab.guest().system().writeText("/dev/kmsg", line + "\n");
  }

  private void qemuSays(String line) throws IOException {
    Files.writeString(logs.resolve(Qemu.QEMU_LOG), line + "\n", StandardOpenOption.APPEND);
  }

  private static List<String> lines(List<Complaint> complaints) {
    return complaints.stream()
        .map(c -> c.log() + " " + c.line().replaceFirst("^\\[ *[0-9.]+] ", ""))
        .toList();
  }

  @Test
  void aBootAnswersForItselfAndEveryMarkForWhatFollows() throws Exception {
    assertThat(lines(lab.bootComplaints()))
        .anyMatch(l -> l.startsWith("kernel.log ") && l.contains("NOTICE NOTICE"))
        .anyMatch(l -> l.startsWith("qemu.log ") && l.contains("no-such-device"));
    assertThat(lab.complaints()).isEmpty();

    Lab.Mark first = lab.mark("first");
    kernelSays("<4>the first thing");
    qemuSays("what QEMU thinks of the first");
    Lab.Mark second = lab.mark("second");
    kernelSays("<4>the second thing");
    List<String> ofFirst =
        List.of(
            "kernel.log the first thing",
            "kernel.log the second thing",
            "qemu.log what QEMU thinks of the first");
    assertThat(lines(first.since())).isEqualTo(ofFirst);
    assertThat(lines(lab.complaints())).isEqualTo(ofFirst);
    assertThat(lines(second.since())).containsExactly("kernel.log the second thing");
    assertThat(lines(lab.bootComplaints())).noneMatch(l -> l.contains(" thing"));

    assertThat(lines(lab.powerOff())).isEqualTo(ofFirst);
    assertThat(lab.qemu().isAlive()).isFalse();
    assertThat(lines(second.since())).noneMatch(l -> l.contains("first"));
  }

  @Test
  void aMonitorThatIsInUseIsNoObstacle() throws Exception {
    try (Qmp monitor = lab.qemu().monitor()) {
      assertThat(lab.mark("in use").since()).isEmpty();
      assertThat(monitor.execute("query-status").path("running").asBoolean()).isTrue();
    }
    assertThat(lab.mark("free").since()).isEmpty();
  }

  @Test
  void whatAKernelHasForgottenIsOnTheConsole() throws Exception {
    Lab.Mark mark = lab.mark("before the flood");
    kernelSays("<3>BUG: the first thing");
    for (int i = 0; i < FLOOD; i++) {
      kernelSays("<6>" + i + " " + "x".repeat(900));
    }
    kernelSays("<4>the last thing");
    assertThat(lab.guest().kernelLog()).doesNotContain("the first thing", "before the flood");
    List<String> both = List.of("console.log BUG: the first thing", "kernel.log the last thing");
    assertThat(lines(mark.since())).isEqualTo(both);
    assertThat(lines(lab.complaints())).isEqualTo(both);
  }
}
