package dev.peerbar.lab.scenario.stock;

import dev.peerbar.lab.qemu.VirtualMachine;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;

/** An NVMe controller that a guest is given, and the image file behind it. */
sealed interface NvmeController extends AutoCloseable permits QemuController, ServedController {
  /** Bytes of every controller's namespace. */
  long SIZE = 512L << 20;

  /** Bytes of every controller's Controller Memory Buffer. */
  long MEMORY = 64L << 20;

  /** Where it is in a topology. */
  enum Port {
    A(1),
    B(2),
    C(3);

    private final int slot;

    Port(int slot) {
      this.slot = slot;
    }

    int slot() {
      return slot;
    }

    String letter() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  /**
   * What it says that it is.
   *
   * @param vendorId of PCI
   * @param model number
   * @param serialNumber of its own
   * @param optionalCommands at least (ONCS, NVMe 1.4 figure 247)
   */
  record Identity(int vendorId, String model, String serialNumber, int optionalCommands) {}

  Port port();

  Identity identity();

  /** The raw image. */
  Path image();

  /** Its Controller Memory Buffer as this process sees it, if it does. */
  Optional<MemorySegment> memory();

  /** A machine with it. */
  VirtualMachine attachTo(VirtualMachine machine);

  @Override
  void close() throws IOException;
}
