package dev.peerbar.lab.boot;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.cli.Main;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestAgent;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.pci.AccessWidth;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
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
    VirtualMachine machine =
        VirtualMachine.of(Topology.named("one-switch")).withEndpoint("a", serve());
    lab = Lab.boot(Setup.ofUser(SetupOutput.toStandardError()).run(), machine, logs());
    Guest guest = lab.guest();
    // Nothing is closed in the guest: what holds on to a function that is gone goes with the guest.
    Ioas ioas = Iommufd.open(guest).allocIoas();
    GuestDevice device = GuestDevice.open(guest, guest.pciInSlot(1).bindVfio(), ioas);
    HbmDriver driver = HbmDriver.of(device);
    HbmChannel channel = driver.channel(0, 32).enable();
    long memory = ioas.map(guest.allocateHuge(COPY)).iova();
    // Its own BAR by way of the guest's bus: messages, all the time that the poller reads.
    long own = ioas.mapFile(device.vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, COPY)).iova();
    GuestMemory registers = device.bar(HbmRegisters.BAR);
    try (GuestAgent.Poller poller = registers.poll(HbmRegisters.STATUS, AccessWidth.DWORD)) {
      // More than any machine has done before the server is told to end.
      Descriptor[] copies = new Descriptor[16];
      Arrays.fill(copies, Descriptor.copy(COPY).from(memory).to(own).interrupt());
      channel.submit(copies);
      assertThat(driver.read(HbmRegisters.STATUS)).as("ready and running").isEqualTo(3);

      server.destroy();
      assertThat(server.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
      assertThat(server.exitValue()).isZero();

      assertThat(driver.read(HbmRegisters.ID)).isEqualTo(ALL_ONES);
      GuestAgent.Polled polled = poller.stop();
      assertThat(polled.signal()).isZero();
      GuestAgent.Polled later = registers.poll(HbmRegisters.STATUS, AccessWidth.DWORD).stop();
      assertThat((int) later.last()).isEqualTo(ALL_ONES);
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
