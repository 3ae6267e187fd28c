package dev.peerbar.lab.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.qemu.Machine;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.Steps;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.lab.vfio.VfioDevice;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The driver against an NVMe controller that is not ours: QEMU's own, with a CMB. */
@Timeout(600)
@Tag("guest")
final class NvmeDeviceTest {
  private static final long DISK = 16L << 20;
  private static final long CMB = 64L << 20;
  private static final int ENTRIES = 8;
  private static final int ROUNDS = 5;
  private static final long TRANSFER = 64L << 10;
  private static final int BLOCK = 512;
  private static final int BLOCKS = (int) TRANSFER / BLOCK;

  @TempDir private Path directory;

  @Test
  void drivesTheControllerOfQemu() throws Exception {
    Path disk = directory.resolve("disk");
    Files.write(disk, new byte[(int) DISK]);
    Machine machine =
        Machine.of(Topology.named("one-switch"))
            .withArguments("-drive", "if=none,id=disk,format=raw,file=" + disk)
            .withArguments("-device", "nvme,drive=disk,serial=judge,cmb_size_mb=64,bus=port-a");
    Path logs = Path.of("target", "lab-logs", "nvme-driver");
    try (Lab lab = Lab.boot(Setup.ofUser(Steps.toStandardError()).run(), machine, logs)) {
      PciDevice pci = lab.guest().pciInSlot(1).bindVfio();
      try (Iommufd iommufd = lab.guest().openIommufd();
          Ioas ioas = iommufd.allocIoas();
          NvmeDevice device = open(lab.guest(), pci, iommufd, ioas)) {
        device.enable();
        assertThat(device.identify().serialNumber()).isEqualTo("judge");
        assertThat(device.identifyNamespace())
            .isEqualTo(new NvmeDevice.Namespace(DISK / BLOCK, BLOCK));
        movesData(lab.guest(), ioas, device);
        device.disable();
        device.vfio().reset();
        device.enable();
        assertThat(device.identify().model()).isEqualTo("QEMU NVMe Ctrl");
      }
      assertThat(lab.powerOff()).isEmpty();
    }
    MemorySegment written = MemorySegment.ofArray(Files.readAllBytes(disk));
    for (int round = 0; round < ROUNDS; round++) {
      MemorySegment part = written.asSlice(round * TRANSFER, TRANSFER);
      assertThat(Pattern.mismatch(part, seed(round))).isEqualTo(TRANSFER);
    }
  }

  private static NvmeDevice open(Guest guest, PciDevice pci, Iommufd iommufd, Ioas ioas)
      throws Exception {
    VfioDevice vfio = pci.open(iommufd);
    vfio.attach(ioas);
    return NvmeDevice.of(guest, vfio, ioas);
  }

  private static long seed(int round) {
    return (round + 1) * 1_000_000L;
  }

  private static void movesData(Guest guest, Ioas ioas, NvmeDevice device) throws Exception {
    NvmeDevice.ControllerMemory found = device.findControllerMemory();
    assertThat(found)
        .extracting(
            NvmeDevice.ControllerMemory::bar,
            NvmeDevice.ControllerMemory::offset,
            NvmeDevice.ControllerMemory::length)
        .containsExactly(NvmeRegisters.CMB_BAR, 0L, CMB);
    assertThat(found.supports(NvmeRegisters.CMBSZ_SQS | NvmeRegisters.CMBSZ_LISTS)).isTrue();
    GuestMemory ram = guest.allocate(1 << 20);
    DmaRange memory = DmaRange.of(ram, ioas.map(ram));
    try (DmaBuf exported = device.vfio().exportDmabuf(found.bar(), 0, CMB);
        GuestMemory mapped = device.vfio().mmapBar(found.bar())) {
      Ioas.Mapping imported = ioas.mapFile(exported);
      device.placeControllerMemory(imported.iova());
      DmaRange buffer = DmaRange.of(mapped, imported);
      DmaRange queues = memory.slice(0, 3 * 4096);
      for (DmaRange submissions : List.of(queues.slice(0, 4096), buffer.slice(0x1000, 4096))) {
        NvmeQueue queue = device.createQueue(1, ENTRIES, submissions, queues.slice(4096, 4096));
        // A list that goes on in a second page, and one in the buffer; data that begins in a page.
        writesAndReads(queue, memory, memory.slice(0x3ff0, 0x1010));
        writesAndReads(queue, buffer.slice(0x1235 * 8, 1 << 20), buffer.slice(0x2ff8, 0x1000));
        refuses(queue);
        device.deleteQueue(queue);
      }
      ioas.unmap(imported);
    }
  }

  private static void writesAndReads(NvmeQueue queue, DmaRange memory, DmaRange list)
      throws Exception {
    DmaRange out = memory.slice(0x8208, TRANSFER);
    DmaRange back = memory.slice(0x80000, TRANSFER);
    for (int round = 0; round < ROUNDS; round++) {
      long lba = (long) round * BLOCKS;
      out.fill(seed(round));
      back.clear();
      DataPointer from = DataPointer.of(out, list);
      queue.run(List.of(NvmeCommands.write(lba, BLOCKS, from)), NvmeDevice.LIMIT);
      DataPointer to = DataPointer.of(back, list);
      queue.run(
          List.of(NvmeCommands.flush(), NvmeCommands.read(lba, BLOCKS, to)), NvmeDevice.LIMIT);
      assertThat(back.verify(seed(round))).isEmpty();
    }
    SubmissionEntry.Builder[] most = new SubmissionEntry.Builder[ENTRIES - 1];
    Arrays.setAll(most, _ -> NvmeCommands.flush());
    queue.submit(List.of(most));
    List<CompletionEntry> completions = new ArrayList<>(queue.await(ENTRIES - 1, NvmeDevice.LIMIT));
    queue.ringHead();
    NvmeQueue.requireSuccess(completions);
    assertThat(completions).extracting(CompletionEntry::commandId).doesNotHaveDuplicates();
  }

  private static void refuses(NvmeQueue queue) throws Exception {
    CompletionEntry completion =
        queue.run(NvmeCommands.writeZeroes(DISK / BLOCK, 1), NvmeDevice.LIMIT);
    assertThat(completion.status()).isEqualTo(Status.LBA_OUT_OF_RANGE);
    assertThat(completion.sqId()).isEqualTo(queue.id());
  }
}
