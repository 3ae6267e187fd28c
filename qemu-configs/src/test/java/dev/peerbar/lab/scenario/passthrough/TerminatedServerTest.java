package dev.peerbar.lab.scenario.passthrough;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.cli.Main;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestAgent;
import dev.peerbar.lab.hbm.HbmChannel;
import dev.peerbar.lab.hbm.HbmDevice;
import dev.peerbar.lab.qemu.Machine;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.Steps;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.lab.vfio.VfioDevice;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A server in a process of its own that is told to stop while its guest is hard at work. */
@Timeout(300)
@Tag("guest")
final class TerminatedServerTest {
  private static final long LIMIT_SECONDS = 60;
  private static final long COPY = 64 << 20;

  /** What a read of a function returns that is not there. */
  private static final int ALL_ONES = -1;

  @TempDir private Path directory;
  private Process server;
  private Lab lab;

  @AfterEach
  void end() throws Exception {
    if (lab != null) {
      lab.close();
    }
    if (server != null) {
      server.destroyForcibly();
    }
  }

  private Path serve() throws Exception {
    Path socket = directory.resolve("a.sock");
    server =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "serve",
                "hbm",
                "--socket-path=" + socket)
            .redirectError(Files.createDirectories(logs()).resolve("server.log").toFile())
            .start();
    String line =
        CompletableFuture.supplyAsync(() -> server.inputReader().lines().findFirst().orElse("end"))
            .get(LIMIT_SECONDS, TimeUnit.SECONDS);
    assertThat(line).isEqualTo("ready " + socket);
    return socket;
  }

  private static Path logs() {
    return Path.of("target", "lab-logs", "terminated");
  }

  /**
   * QEMU says so at every access. What it had asked when one of its other threads found the socket
   * closed it waits for in vain, for as long as it waits for any reply.
   */
  private static boolean saysThatTheServerHasGone(String line) {
    return line.contains("Broken pipe")
        || line.contains("timed out waiting for reply")
        || line.contains("Bad address")
        || line.contains("failed to read header: EOF")
        || line.contains("server closed socket");
  }

  @Test
  void theGuestSeesAFunctionThatIsGoneAndGoesOn() throws Exception {
    Machine machine = Machine.of(Topology.named("one-switch")).withEndpoint("a", serve());
    lab = Lab.boot(Setup.ofUser(Steps.toStandardError()).run(), machine, logs());
    Guest guest = lab.guest();
    // Nothing is closed in the guest: what holds on to a function that is gone goes with the guest.
    Iommufd iommufd = guest.openIommufd();
    Ioas ioas = iommufd.allocIoas();
    VfioDevice vfio = guest.pciInSlot(1).bindVfio().open(iommufd);
    vfio.attach(ioas);
    HbmDevice device = HbmDevice.of(guest, vfio, ioas);
    HbmChannel channel = device.channel(0);
    channel.enable();
    long memory = ioas.map(guest.allocateHuge(COPY)).iova();
    // Its own BAR by way of the guest's bus: messages, all the time that the poller reads.
    long own = ioas.mapFile(vfio.exportDmabuf(HbmRegisters.MEMORY_BAR, 0, COPY)).iova();
    try (GuestAgent.Poller poller = device.poll(HbmRegisters.STATUS)) {
      channel.submit(HbmDevice.copy(memory, own, COPY));
      assertThat(device.read(HbmRegisters.STATUS)).as("ready and running").isEqualTo(3);

      server.destroy();
      assertThat(server.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
      assertThat(server.exitValue()).isZero();

      assertThat(device.read(HbmRegisters.ID)).isEqualTo(ALL_ONES);
      GuestAgent.Polled polled = poller.stop();
      assertThat(polled.signal()).isZero();
      assertThat((int) polled.last()).isEqualTo(ALL_ONES);
      System.out.printf(
          "server terminated: %d reads, the longest %d ms%n",
          polled.loads(), polled.longest().toMillis());
    }
    try (Qmp monitor = lab.qemu().monitor()) {
      assertThat(monitor.execute("query-status").path("status").asText()).isEqualTo("running");
    }
    // The guest goes on. To turn it off would end QEMU: it cannot tell a server that has gone of
    // the
    // mappings that change, and takes that for a reason to abort.
    lab.expect(TerminatedServerTest::saysThatTheServerHasGone);
    assertThat(lab.complaints()).isEmpty();
  }
}
