package dev.peerbar.bench.guest;

import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.lang.foreign.MemorySegment;

/**
 * The devices of QEMU's own that endpoints are compared with: {@code edu} for its registers, {@code
 * ivshmem} for memory behind a BAR, {@code nvme} for what masters the bus. The disk's image is
 * memory of this process, so that the comparison is with a copy and not with a disk.
 */
final class InProcessDevices implements AutoCloseable {
  static final int EDU_VENDOR = 0x1234;
  static final int EDU_DEVICE = 0x11e8;
  static final int EDU_BAR = 0;

  /** Takes any value, and reads as its complement. */
  static final long EDU_LIVENESS = 4;

  static final int SHARED_VENDOR = 0x1af4;
  static final int SHARED_DEVICE = 0x1110;
  static final int SHARED_BAR = 2;

  /** The port of the nvme: endpoints are on a and b. */
  static final int NVME_SLOT = 3;

  private static final long SHARED_BYTES = 64L << 20;
  private static final long IMAGE_BYTES = 16L << 20;

  /**
   * The most data of a command, which QEMU bounds: log2, in pages; {@link GuestFixture#TRANSFER}.
   */
  private static final int MDTS = 9;

  private final FileDescriptor image;
  private final Mapping mapping;

  private InProcessDevices(FileDescriptor image, Mapping mapping) {
    this.image = image;
    this.mapping = mapping;
  }

  static InProcessDevices create() throws LinuxException {
    FileDescriptor image = SharedMemory.create("peerbar-bench", IMAGE_BYTES);
    try {
      return new InProcessDevices(
          image, SharedMemory.map(image, 0, IMAGE_BYTES, SharedMemory.Access.READ_WRITE));
    } catch (LinuxException e) {
      image.close();
      throw e;
    }
  }

  /** What is on the disk. */
  MemorySegment disk() {
    return mapping.segment();
  }

  /** The guest, with these devices beside its endpoints. */
  VirtualMachine attachTo(VirtualMachine machine) {
    String path = "/proc/%d/fd/%d".formatted(ProcessHandle.current().pid(), image.number());
    return machine
        .withArguments("-device", "edu,bus=pcie.0,addr=5.0")
        .withArguments(
            "-object", "memory-backend-memfd,id=shared,size=%d,share=on".formatted(SHARED_BYTES))
        .withArguments("-device", "ivshmem-plain,memdev=shared,bus=pcie.0,addr=6.0")
        .withArguments("-drive", "if=none,id=disk,format=raw,cache=writeback,file=" + path)
        .withArguments(
            "-device", "nvme,drive=disk,serial=reference,mdts=%d,bus=port-c".formatted(MDTS));
  }

  @Override
  public void close() {
    mapping.close();
    image.close();
  }
}
