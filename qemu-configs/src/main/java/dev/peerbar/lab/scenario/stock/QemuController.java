package dev.peerbar.lab.scenario.stock;

import dev.peerbar.lab.qemu.VirtualMachine;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;

/** QEMU's own nvme. */
record QemuController(Port port, Path image) implements NvmeController {
  private static final int VENDOR_ID = 0x1b36;

  /** Compare, Dataset Management, Write Zeroes, Timestamp; it does not say that it has Verify. */
  private static final int OPTIONAL_COMMANDS = 1 | 1 << 2 | 1 << 3 | 1 << 6;

  @Override
  public Identity identity() {
    return new Identity(VENDOR_ID, "QEMU NVMe Ctrl", "qemu-" + port.letter(), OPTIONAL_COMMANDS);
  }

  @Override
  public Optional<MemorySegment> memory() {
    return Optional.empty();
  }

  @Override
  public VirtualMachine attachTo(VirtualMachine machine) {
    String drive = "disk-" + port.letter();
    return machine
        .withArguments(
            "-drive",
            "if=none,id=%s,format=raw,cache=writeback,discard=unmap,file=%s"
                .formatted(drive, image.toString().replace(",", ",,")))
        .withArguments(
            "-device",
            "nvme,id=nvme-%s,serial=%s,drive=%s,cmb_size_mb=%d,bus=port-%s"
                .formatted(
                    port.letter(), identity().serialNumber(), drive, MEMORY >> 20, port.letter()));
  }

  @Override
  public void close() throws IOException {
    // It ends with QEMU, and its image with the directory that it is in.
  }
}
