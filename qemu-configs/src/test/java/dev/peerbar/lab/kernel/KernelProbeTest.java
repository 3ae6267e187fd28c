package dev.peerbar.lab.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is known of a kernel by its running, which is the set-up's and has all there is. */
@Tag("guest")
@Timeout(600)
class KernelProbeTest {
  @TempDir Path directory;

  @Test
  void aKernelThatRunsIsKnownByItsConfigurationOrByWhatItShows() throws Exception {
    LabFiles files = Setup.ofUser(SetupOutput.toStandardError()).run();
    VirtualMachine machine = VirtualMachine.of(Topology.named("one-switch"));
    try (Lab lab = Lab.boot(files, machine, directory.resolve("logs"))) {
      assertThat(lab.kernelOptions().source()).isEqualTo("the image itself");
      assertThat(lab.kernelOptions().missing(KernelNeed.values())).isEmpty();

      // The same guest, of which the host knows no configuration.
      Path stranger = Files.writeString(directory.resolve("kernel"), "text");
      LabFiles unknown = new LabFiles(files.qemu(), stranger, files.initramfs(), files.userland());
      KernelOptions nothing = KernelOptions.of(unknown);
      assertThat(nothing.known()).isFalse();
      KernelOptions running = nothing.orOf(unknown, lab.guest());
      assertThat(running.source()).isEqualTo("the guest's /proc/config.gz");
      assertThat(running.missing(KernelNeed.values())).isEmpty();

      assertThat(new KernelProbe(lab.guest()).missing()).isEmpty();
      assertThat(lab.guest().system().list("/sys/kernel/debug/dma_buf")).contains("bufinfo");
      assertThat(lab.guest().system().readText("/proc/self/stack")).isNotEmpty();
    }
  }
}
