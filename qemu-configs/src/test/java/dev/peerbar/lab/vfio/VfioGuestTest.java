package dev.peerbar.lab.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestFaultException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestProgram;
import dev.peerbar.lab.guest.KernelLogMark;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.guest.Stopwatch;
import dev.peerbar.lab.qemu.Machine;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.Steps;
import dev.peerbar.lab.uapi.VfioIrqSet;
import dev.peerbar.lab.uapi.VfioPciIrq;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.uapi.VfioRegionInfo;
import dev.peerbar.linux.Errno;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * The lab's library against devices that QEMU itself has: an {@code edu} in slot 1, an {@code nvme}
 * with a controller memory buffer in slot 2. One boot for all.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Tag("guest")
class VfioGuestTest {
  private static final int EDU_ID = 0x010000ed;
  private static final int EDU_LIVENESS = 4;
  private static final int EDU_RAISE = 0x60;
  private static final int EDU_ACKNOWLEDGE = 0x64;
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final int CMB_BAR = 2;
  private static final long CMB_SIZE = 64 << 20;
  private static final long BUFFER_SIZE = 2 << 20;
  private static final long SEED = 42;

  /** Kept after the test: the first thing to read when it fails. */
  private final Path logs = Path.of("target", "lab-logs", "vfio");

  private Lab lab;
  private Guest guest;

  @BeforeAll
  void boot() throws Exception {
    Machine machine =
        Machine.of(Topology.named("one-switch"))
            .withArguments("-device", "edu,bus=port-a")
            .withArguments("-drive", "if=none,id=disk,driver=null-co,size=64M,read-zeroes=on")
            .withArguments("-device", "nvme,drive=disk,serial=peerbar,cmb_size_mb=64,bus=port-b")
            .withUserland();
    lab = Lab.boot(Setup.ofUser(Steps.toStandardError()).run(), machine, logs);
    guest = lab.guest();
  }

  @AfterAll
  void shutDown() throws Exception {
    if (lab != null) {
      try (Lab ending = lab) {
        assertThat(ending.powerOff()).isEmpty();
        assertThat(ending.qemu().isAlive()).isFalse();
      }
    }
  }

  @Test
  void exportsAndImportsABarAcrossAReset() throws Exception {
    PciDevice nvme = guest.pciInSlot(2);
    assertThat(nvme.classCode()).isEqualTo(0x010802);
    assertThat(nvme.driver()).contains("nvme");
    nvme.bindVfio();
    try (Iommufd iommufd = guest.openIommufd();
        Ioas ioas = iommufd.allocIoas();
        VfioDevice device = nvme.open(iommufd);
        GuestMemory buffer = guest.allocate(BUFFER_SIZE)) {
      device.attach(ioas);
      assertThat(device.info().resettable()).isTrue();
      assertThat(device.irq(VfioPciIrq.MSIX).count()).isEqualTo(65);
      assertThat(ioas.ranges()).isNotEmpty();

      Ioas.Mapping mapping = ioas.map(buffer);
      assertThat(mapping.length()).isEqualTo(BUFFER_SIZE);
      assertThat(ioas.mapAt(buffer, 0x1_0000_0000L).iova()).isEqualTo(0x1_0000_0000L);

      device.memorySpace(true);
      VfioRegionInfo cmb = device.region(VfioPciRegion.bar(CMB_BAR));
      assertThat(cmb.size()).isEqualTo(CMB_SIZE);
      assertThat(cmb.canMap()).isTrue();
      List<EventFd> events = device.enableMsix(2);
      assertThat(events.getFirst().await(Duration.ofMillis(10))).isEmpty();
      device.disableMsix();

      try (DmaBuf dmaBuf = device.exportDmabuf(CMB_BAR, 0, CMB_SIZE)) {
        Ioas.Mapping peer = ioas.mapFile(dmaBuf);
        assertThat(peer.length()).isEqualTo(CMB_SIZE);
        assertThat(device.reset()).isPositive();
        assertThat(ioas.unmap(peer)).isEqualTo(CMB_SIZE);
      }
      assertThatThrownBy(() -> device.exportDmabuf(CMB_BAR, 100, 4096))
          .isInstanceOfSatisfying(
              GuestErrnoException.class, e -> assertThat(e.errno()).contains(Errno.EINVAL));
      assertThat(ioas.unmap(mapping)).isEqualTo(BUFFER_SIZE);
    }
    nvme.unbindVfio();
    assertThat(nvme.driver()).contains("nvme");
  }

  @Test
  void mapsARegisterBar() throws Exception {
    // Without isolation between their ports both are in one IOMMU group, which must be vfio's as a
    // whole.
    guest.pciInSlot(2).bindVfio();
    PciDevice edu = guest.pciInSlot(1).bindVfio();
    try (Iommufd iommufd = guest.openIommufd();
        Ioas ioas = iommufd.allocIoas();
        VfioDevice device = edu.open(iommufd)) {
      device.attach(ioas);
      device.memorySpace(true);
      GuestMemory registers = device.mmapBar(0);
      assertThat(registers.read32(0)).isEqualTo(EDU_ID);
      registers.write32(EDU_LIVENESS, 0x12345678);
      assertThat(registers.read32(EDU_LIVENESS)).isEqualTo(~0x12345678);
      assertThat(device.readRegion(VfioPciRegion.BAR0, 0, 4))
          .containsExactly(0xed, 0x00, 0x00, 0x01);
      assertThat(registers.timeLoads(0, 4, 100)).isPositive();

      try (var poller = registers.poll(0, 4)) {
        guest.agent().awaitEvent(guest.eventFd().fd(), Duration.ofMillis(50));
        assertThat(poller.stop().loads()).isPositive();
        assertThat(poller.stop().last()).isEqualTo(EDU_ID);
        assertThat(poller.stop().signal()).isZero();
      }

      device.memorySpace(false);
      assertThatThrownBy(() -> registers.read32(0))
          .isInstanceOfSatisfying(
              GuestFaultException.class,
              e -> assertThat(e.signal()).isEqualTo(GuestFaultException.Signal.SIGBUS));
      registers.close();
    }
  }

  @Test
  void fillsAndComparesMemoryByPattern() throws Exception {
    try (GuestMemory memory = guest.allocate(BUFFER_SIZE);
        GuestMemory copy = guest.allocate(BUFFER_SIZE)) {
      memory.fill(0, BUFFER_SIZE, SEED);
      assertThat(memory.verify(0, BUFFER_SIZE, SEED)).isEmpty();
      assertThat(memory.read64(8 * 1000)).isEqualTo(dev.peerbar.lab.guest.Pattern.word(SEED, 1000));
      copy.fill(0, BUFFER_SIZE, SEED);
      memory.store(0x1234, 1, memory.load(0x1234, 1) ^ 1);
      assertThat(memory.verify(0, BUFFER_SIZE, SEED))
          .hasValueSatisfying(m -> assertThat(m.offset()).isEqualTo(0x1230));
      assertThat(memory.compare(0, copy, 0, BUFFER_SIZE)).isEqualTo(0x1234);
      byte[] bytes = {1, 2, 3};
      memory.write(BUFFER_SIZE - 3, bytes);
      assertThat(memory.read(BUFFER_SIZE - 3, 3)).isEqualTo(bytes);
    }
  }

  @Test
  void timesAccessesOfTheGuestsProcessor() throws Exception {
    try (GuestMemory memory = guest.allocate(BUFFER_SIZE);
        GuestMemory copy = guest.allocate(BUFFER_SIZE)) {
      for (int width : new int[] {1, 2, 4, 8}) {
        // Around the range two and a half times, and not a byte beyond it.
        memory.set(0, BUFFER_SIZE, 0);
        long words = 4096 / width;
        assertThat(memory.timeStores(4096, 4096, width, -1, words * 5 / 2)).isPositive();
        copy.set(0, BUFFER_SIZE, 0);
        copy.set(4096, 4096, 0xff);
        assertThat(memory.compare(0, copy, 0, BUFFER_SIZE)).isEqualTo(BUFFER_SIZE);
        assertThat(memory.timeLoads(4096, 4096, width, words * 5 / 2)).isPositive();
      }
      memory.set(0, 16, 0);
      memory.timeStores(0, 16, 8, 7, 1);
      assertThat(memory.read64(0)).isEqualTo(7);
      assertThat(memory.read64(8)).isZero();

      memory.fill(0, BUFFER_SIZE, SEED);
      assertThat(memory.timeCopies(8, copy, 16, 4096, 2)).isPositive();
      assertThat(memory.compare(8, copy, 16, 4096)).isEqualTo(4096);
      assertThatThrownBy(() -> memory.timeCopies(0, memory, 4088, 4096, 1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> memory.timeLoads(0, 12, 8, 1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> memory.timeLoads(BUFFER_SIZE, 8, 8, 1))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
    Stopwatch stopwatch = guest.agent().stopwatch();
    assertThatThrownBy(() -> stopwatch.timeStores(new Stopwatch.Words(16, 8, 8), 0, 1))
        .isInstanceOf(GuestFaultException.class);
    assertThatThrownBy(() -> stopwatch.timeLoads(new Stopwatch.Words(16, 0, 8), 1))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void timesAStoreAndItsInterrupt() throws Exception {
    PciDevice neighbour = guest.pciInSlot(2).bindVfio(); // of the same group
    try (Iommufd iommufd = guest.openIommufd();
        Ioas ioas = iommufd.allocIoas();
        VfioDevice device = guest.pciInSlot(1).bindVfio().open(iommufd);
        EventFd event = guest.eventFd()) {
      device.attach(ioas);
      device.memorySpace(true);
      device.busMaster(true);
      device.setIrqs(new VfioIrqSet(VfioPciIrq.MSI, 0, List.of(event.fd())));
      GuestMemory registers = device.mmapBar(0);
      assertThat(registers.timeEvent(EDU_RAISE, 4, 1, event, LIMIT))
          .hasValueSatisfying(took -> assertThat(took).isPositive());
      assertThat(event.drain()).isZero();
      registers.write32(EDU_ACKNOWLEDGE, 1);
      assertThat(registers.timeEvent(EDU_LIVENESS, 4, 1, event, Duration.ofMillis(10))).isEmpty();
      registers.close();
    }
    neighbour.unbindVfio();
    guest.nvmeInSlot(2); // the other tests find it as it was
  }

  @Test
  void survivesAFaultAndAProgram() throws Exception {
    assertThatThrownBy(() -> guest.agent().load(16, 4))
        .isInstanceOfSatisfying(
            GuestFaultException.class,
            e -> {
              assertThat(e.signal()).isEqualTo(GuestFaultException.Signal.SIGSEGV);
              assertThat(e.address()).isEqualTo(16);
            });
    int pid =
        guest
            .agent()
            .spawn("/tmp/out", List.of("/bin/busybox", "sh", "-c", "echo $((6*7)); exit 3"));
    assertThat(guest.agent().awaitProgram(pid, Duration.ofSeconds(20))).contains(3);
    assertThat(guest.system().readText("/tmp/out")).isEqualTo("42");
  }

  @Test
  void answersOnItsMonitor() throws Exception {
    try (Qmp monitor = lab.qemu().monitor()) {
      assertThat(monitor.execute("query-status").get("status").asText()).isEqualTo("running");
      assertThatThrownBy(() -> monitor.execute("no-such-command"))
          .hasMessageContaining("not been found");
    }
    assertThat(Files.readString(logs.resolve("qemu.args"))).contains("intel-iommu");
  }

  @Test
  void programsOfTheUserlandRunWithTheirOutputsApart() throws Exception {
    GuestProgram.Outcome list = guest.run("nvme", "list", "--output-format=json");
    assertThat(list.status()).isZero();
    assertThat(list.out()).contains("\"SerialNumber\":\"peerbar\"");
    assertThat(list.err()).isEmpty();
    GuestProgram.Outcome refused = guest.run("fio", "--no-such-option");
    assertThat(refused.status()).isNotZero();
    assertThat(refused.err()).contains("no-such-option");
    assertThat(guest.run("no-such-program").status()).isEqualTo(127);
  }

  @Test
  void aProgramThatDoesNotEndIsKilled() throws Exception {
    assertThatThrownBy(() -> guest.start("sleep", "1000").finish(Duration.ofSeconds(1)))
        .hasMessageContaining("sleep 1000 did not end within 1 s")
        .hasMessageContaining("status 137");
  }

  @Test
  void theKernelsLogCanBeReadFromAMark() throws Exception {
    KernelLogMark mark = guest.markKernelLog("before");
    guest.markKernelLog("after");
    // The kernel may have something of its own to say meanwhile.
    assertThat(mark.since())
        .noneMatch(line -> line.endsWith(": before"))
        .anyMatch(line -> line.endsWith(": after"));
  }
}
