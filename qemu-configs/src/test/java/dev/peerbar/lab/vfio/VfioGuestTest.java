package dev.peerbar.lab.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.driver.Config;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestFaultException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestProgram;
import dev.peerbar.lab.guest.KernelLogMark;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.guest.Stopwatch;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.lab.uapi.VfioIrqSet;
import dev.peerbar.lab.uapi.VfioPciIrq;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.uapi.VfioRegionInfo;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.AccessWidth;
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
    VirtualMachine machine =
        VirtualMachine.of(Topology.named("one-switch"))
            .withArguments("-device", "edu,bus=port-a")
            .withArguments("-drive", "if=none,id=disk,driver=null-co,size=64M,read-zeroes=on")
            .withArguments("-device", "nvme,drive=disk,serial=peerbar,cmb_size_mb=64,bus=port-b")
            .withUserland();
    lab = Lab.boot(Setup.ofUser(SetupOutput.toStandardError()).run(), machine, logs);
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
    try (Iommufd iommufd = Iommufd.open(guest);
        Ioas ioas = iommufd.allocIoas();
        GuestDevice device = GuestDevice.open(guest, nvme, ioas);
        GuestMemory buffer = guest.allocate(BUFFER_SIZE)) {
      assertThat(device.vfio().info().resettable()).isTrue();
      assertThat(device.vfio().irq(VfioPciIrq.MSIX).count()).isEqualTo(65);
      assertThat(ioas.ranges()).isNotEmpty();

      DmaRange mapping = ioas.map(buffer);
      assertThat(mapping.length()).isEqualTo(BUFFER_SIZE);
      assertThat(ioas.mapAt(buffer, 0x1_0000_0000L).iova()).isEqualTo(0x1_0000_0000L);

      new Config(device).memorySpace(true);
      VfioRegionInfo cmb = device.vfio().region(VfioPciRegion.bar(CMB_BAR));
      assertThat(cmb.size()).isEqualTo(CMB_SIZE);
      assertThat(cmb.canMap()).isTrue();
      List<Interrupt> vectors = device.enableMsix(2);
      assertThat(vectors.getFirst().await(Duration.ofMillis(10))).isZero();
      device.vfio().disableMsix();

      try (DmaBuf dmaBuf = device.vfio().exportDmabuf(CMB_BAR, 0, CMB_SIZE)) {
        Ioas.Mapping peer = ioas.mapFile(dmaBuf);
        assertThat(peer.length()).isEqualTo(CMB_SIZE);
        assertThat(device.vfio().reset()).isPositive();
        assertThat(ioas.unmap(peer)).isEqualTo(CMB_SIZE);
      }
      assertThatThrownBy(() -> device.vfio().exportDmabuf(CMB_BAR, 100, 4096))
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
    try (Iommufd iommufd = Iommufd.open(guest);
        Ioas ioas = iommufd.allocIoas();
        GuestDevice device = GuestDevice.open(guest, edu, ioas)) {
      new Config(device).memorySpace(true);
      GuestMemory registers = device.bar(0);
      assertThat(registers.loadInt(0)).isEqualTo(EDU_ID);
      registers.storeInt(EDU_LIVENESS, 0x12345678);
      assertThat(registers.loadInt(EDU_LIVENESS)).isEqualTo(~0x12345678);
      assertThat(device.vfio().readRegion(VfioPciRegion.BAR0, 0, 4))
          .containsExactly(0xed, 0x00, 0x00, 0x01);
      assertThat(registers.timeLoads(0, AccessWidth.DWORD, 100)).isPositive();

      try (var poller = registers.poll(0, AccessWidth.DWORD)) {
        assertThat(poller.stop().loads()).isPositive();
        assertThat(poller.stop().last()).isEqualTo(EDU_ID);
        assertThat(poller.stop().signal()).isZero();
      }

      new Config(device).memorySpace(false);
      assertThatThrownBy(() -> registers.loadInt(0))
          .isInstanceOfSatisfying(
              GuestFaultException.class,
              e -> assertThat(e.signal()).isEqualTo(GuestFaultException.Signal.SIGBUS));
    }
  }

  @Test
  void fillsAndComparesMemoryByPattern() throws Exception {
    try (GuestMemory memory = guest.allocate(BUFFER_SIZE);
        GuestMemory copy = guest.allocate(BUFFER_SIZE)) {
      memory.fillPattern(0, BUFFER_SIZE, SEED);
      assertThat(memory.verifyPattern(0, BUFFER_SIZE, SEED)).isEmpty();
      assertThat(memory.loadLong(8 * 1000))
          .isEqualTo(dev.peerbar.lab.guest.Pattern.word(SEED, 1000));
      copy.fillPattern(0, BUFFER_SIZE, SEED);
      memory.store(0x1234, AccessWidth.BYTE, memory.load(0x1234, AccessWidth.BYTE) ^ 1);
      assertThat(memory.verifyPattern(0, BUFFER_SIZE, SEED))
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
      for (AccessWidth width : AccessWidth.values()) {
        // Around the range two and a half times, and not a byte beyond it.
        memory.fill(0, BUFFER_SIZE, (byte) 0);
        long words = 4096 / width.bytes();
        assertThat(memory.timeStores(4096, 4096, width, -1, words * 5 / 2)).isPositive();
        copy.fill(0, BUFFER_SIZE, (byte) 0);
        copy.fill(4096, 4096, (byte) 0xff);
        assertThat(memory.compare(0, copy, 0, BUFFER_SIZE)).isEqualTo(BUFFER_SIZE);
        assertThat(memory.timeLoads(4096, 4096, width, words * 5 / 2)).isPositive();
      }
      memory.fill(0, 16, (byte) 0);
      memory.timeStores(0, 16, AccessWidth.QWORD, 7, 1);
      assertThat(memory.loadLong(0)).isEqualTo(7);
      assertThat(memory.loadLong(8)).isZero();

      memory.fillPattern(0, BUFFER_SIZE, SEED);
      assertThat(memory.timeCopies(8, copy, 16, 4096, 2)).isPositive();
      assertThat(memory.compare(8, copy, 16, 4096)).isEqualTo(4096);
      assertThatThrownBy(() -> memory.timeCopies(0, memory, 4088, 4096, 1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> memory.timeLoads(0, 12, AccessWidth.QWORD, 1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> memory.timeLoads(BUFFER_SIZE, 8, AccessWidth.QWORD, 1))
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
    try (Iommufd iommufd = Iommufd.open(guest);
        Ioas ioas = iommufd.allocIoas();
        GuestDevice device = GuestDevice.open(guest, guest.pciInSlot(1).bindVfio(), ioas);
        EventFd event = guest.eventFd()) {
      new Config(device).memorySpace(true);
      new Config(device).busMaster(true);
      device.vfio().setIrqs(new VfioIrqSet(VfioPciIrq.MSI, 0, List.of(event.fd())));
      GuestMemory registers = device.bar(0);
      assertThat(registers.timeEvent(EDU_RAISE, AccessWidth.DWORD, 1, event, LIMIT))
          .hasValueSatisfying(took -> assertThat(took).isPositive());
      assertThat(event.drain()).isZero();
      registers.storeInt(EDU_ACKNOWLEDGE, 1);
      assertThat(
              registers.timeEvent(EDU_LIVENESS, AccessWidth.DWORD, 1, event, Duration.ofMillis(10)))
          .isEmpty();
    }
    neighbour.unbindVfio();
    NvmeDisk.inSlot(guest, 2); // the other tests find it as it was
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
    assertThat(guest.agent().awaitProgram(pid, LIMIT)).contains(3);
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
