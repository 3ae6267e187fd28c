package dev.peerbar.lab.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.contract.HbmContract;
import dev.peerbar.driver.contract.NvmeContract;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.scenario.fixture.ServedPair;
import dev.peerbar.storage.MemoryStorage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The drivers in a guest: of endpoints that this process serves, and of a controller that is not
 * ours, QEMU's own with a CMB. One boot for all.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(600)
@Tag("guest")
final class GuestDeviceTest {
  private static final int HBM_SLOT = 1;
  private static final int NVME_SLOT = 2;
  private static final int QEMU_SLOT = 3;

  private static final long DISK = 16L << 20;
  private static final long CMB = 64L << 20;
  private static final int ENTRIES = 8;
  private static final int ROUNDS = 5;
  private static final long TRANSFER = 64L << 10;
  private static final int BLOCK = 512;
  private static final int BLOCKS = (int) TRANSFER / BLOCK;

  private Path disk;
  private ServedPair pair;
  private Guest guest;
  private Iommufd iommufd;

  /** What the endpoints reach. */
  private Ioas endpoints;

  /** What QEMU's controller reaches. */
  private Ioas alone;

  @BeforeAll
  void boot(@TempDir Path directory) throws Exception {
    disk = Files.write(directory.resolve("disk"), new byte[(int) DISK]);
    VirtualMachine machine =
        VirtualMachine.of(Topology.named("two-root-ports"))
            .withArguments("-drive", "if=none,id=disk,format=raw,file=" + disk)
            .withArguments("-device", "nvme,drive=disk,serial=judge,cmb_size_mb=64,bus=port-c");
    pair =
        ServedPair.boot(
            Setup.ofUser(SetupOutput.toStandardError()).run(),
            machine,
            Path.of("target", "lab-logs", "drivers"),
            new ServedPair.Named(
                "hbm", new HbmEndpoint(new HbmConfig(1 << 20, 2, DoorbellMode.TRAP, false), 1)),
            new ServedPair.Named(
                "nvme",
                new NvmeEndpoint(
                    new NvmeConfig(BLOCK, 1 << 20, 4, DoorbellMode.TRAP, "TEST"),
                    MemoryStorage.allocate(1 << 20))));
    guest = pair.lab().guest();
    iommufd = Iommufd.open(guest);
    endpoints = iommufd.allocIoas();
    // QEMU gives no endpoint a way to the CMB of its own controller, and says so.
    alone = iommufd.allocIoas();
  }

  @AfterAll
  void shutDown() throws Exception {
    if (pair != null) {
      try (ServedPair ending = pair) {
        endpoints.close();
        alone.close();
        iommufd.close();
        assertThat(ending.lab().powerOff()).isEmpty();
      }
    }
  }

  private GuestDevice open(int slot, Ioas ioas) throws IOException {
    return GuestDevice.open(guest, guest.pciInSlot(slot).bindVfio(), ioas);
  }

  @Nested
  final class Hbm extends HbmContract {
    @Override
    protected Device open() throws IOException {
      return GuestDeviceTest.this.open(HBM_SLOT, endpoints);
    }
  }

  @Nested
  final class Nvme extends NvmeContract {
    @Override
    protected Device open() throws IOException {
      return GuestDeviceTest.this.open(NVME_SLOT, endpoints);
    }
  }

  @Test
  void whatADeviceAllocatedGoesWithIt() throws Exception {
    DmaRange memory;
    try (GuestDevice device = open(HBM_SLOT, endpoints)) {
      memory = device.allocate(1);
      assertThat(memory.length()).as("a whole page").isEqualTo(4096);
      assertThatThrownBy(() -> device.unmap(memory.slice(0, 1)))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> memory.loadInt(0)).isInstanceOf(IllegalStateException.class);
    try (GuestDevice device = open(HBM_SLOT, endpoints)) {
      assertThat(device.allocate(memory.iova(), 1).iova()).isEqualTo(memory.iova());
      assertThatThrownBy(() -> device.allocate(memory.iova(), 1))
          .isInstanceOf(GuestErrnoException.class);
    }
  }

  @Test
  void drivesTheControllerOfQemu() throws Exception {
    try (GuestDevice device = open(QEMU_SLOT, alone)) {
      NvmeDriver driver = NvmeDriver.of(device).enable();
      assertThat(driver.identify().serialNumber()).isEqualTo("judge");
      assertThat(driver.identifyNamespace())
          .isEqualTo(new NvmeDriver.Namespace(DISK / BLOCK, BLOCK));
      movesData(device, driver);
      driver.disable();
      device.reset();
      driver.enable();
      assertThat(driver.identify().model()).isEqualTo("QEMU NVMe Ctrl");
    }
    MemorySegment written = MemorySegment.ofArray(Files.readAllBytes(disk));
    for (int round = 0; round < ROUNDS; round++) {
      MemorySegment part = written.asSlice(round * TRANSFER, TRANSFER);
      assertThat(Pattern.mismatch(part, seed(round))).isEqualTo(TRANSFER);
    }
  }

  private static long seed(int round) {
    return (round + 1) * 1_000_000L;
  }

  private void movesData(GuestDevice device, NvmeDriver driver) throws Exception {
    NvmeDriver.ControllerMemory found = driver.findControllerMemory();
    assertThat(found)
        .extracting(
            NvmeDriver.ControllerMemory::bar,
            NvmeDriver.ControllerMemory::offset,
            NvmeDriver.ControllerMemory::length)
        .containsExactly(NvmeRegisters.CMB_BAR, 0L, CMB);
    assertThat(found.supports(NvmeRegisters.CMBSZ_SQS | NvmeRegisters.CMBSZ_LISTS)).isTrue();
    DmaRange memory = device.allocate(1 << 20);
    try (DmaBuf exported = device.vfio().exportDmabuf(found.bar(), 0, CMB)) {
      Ioas.Mapping imported = alone.mapFile(exported);
      driver.placeControllerMemory(imported.iova());
      DmaRange buffer = DmaRange.of(device.bar(found.bar()), imported.iova());
      DmaRange queues = memory.slice(0, 3 * 4096);
      for (DmaRange submissions : List.of(queues.slice(0, 4096), buffer.slice(0x1000, 4096))) {
        NvmeQueue queue = driver.createQueue(1, ENTRIES, submissions, queues.slice(4096, 4096));
        // A list that goes on in a second page, and one in the buffer; data that begins in a page.
        writesAndReads(queue, memory, memory.slice(0x3ff0, 0x1010));
        writesAndReads(queue, buffer.slice(0x1235 * 8, 1 << 20), buffer.slice(0x2ff8, 0x1000));
        refuses(queue);
        driver.deleteQueue(queue);
      }
      alone.unmap(imported);
    }
  }

  private static void writesAndReads(NvmeQueue queue, DmaRange memory, DmaRange list)
      throws Exception {
    DmaRange out = memory.slice(0x8208, TRANSFER);
    DmaRange back = memory.slice(0x80000, TRANSFER);
    for (int round = 0; round < ROUNDS; round++) {
      long lba = (long) round * BLOCKS;
      Pattern.fill(out, seed(round));
      back.clear();
      DataPointer from = DataPointer.of(out, list);
      queue.run(List.of(NvmeCommands.write(lba, BLOCKS, from)), NvmeDriver.LIMIT);
      DataPointer to = DataPointer.of(back, list);
      queue.run(
          List.of(NvmeCommands.flush(), NvmeCommands.read(lba, BLOCKS, to)), NvmeDriver.LIMIT);
      assertThat(Pattern.verify(back, seed(round))).isEmpty();
    }
    SubmissionEntry.Builder[] most = new SubmissionEntry.Builder[ENTRIES - 1];
    Arrays.setAll(most, _ -> NvmeCommands.flush());
    queue.submit(List.of(most));
    List<CompletionEntry> completions =
        new ArrayList<>(queue.collect(ENTRIES - 1, NvmeDriver.LIMIT));
    queue.ringHead();
    NvmeQueue.requireSuccess(completions);
    assertThat(completions).extracting(CompletionEntry::commandId).doesNotHaveDuplicates();
  }

  private static void refuses(NvmeQueue queue) throws Exception {
    CompletionEntry completion = queue.execute(NvmeCommands.writeZeroes(DISK / BLOCK, 1));
    assertThat(completion.status()).isEqualTo(Status.LBA_OUT_OF_RANGE);
    assertThat(completion.sqId()).isEqualTo(queue.id());
  }
}
