package dev.peerbar.lab.files;

import java.nio.file.Path;
import java.util.Optional;

/**
 * What set-up made, or found.
 *
 * @param qemu a QEMU with {@code vfio-user-pci}
 * @param kernel the guest's bzImage
 * @param initramfs with the agent and busybox, and with modules for the kernel if it has some
 * @param userland directory that a guest can have as its {@code /usr}
 * @param modules the kernel's modules, those in the initramfs and others
 */
public record LabFiles(
    QemuBinary qemu, Path kernel, Path initramfs, Path userland, Optional<Path> modules) {

  /** With a kernel that needs no modules. */
  public LabFiles(QemuBinary qemu, Path kernel, Path initramfs, Path userland) {
    this(qemu, kernel, initramfs, userland, Optional.empty());
  }
}
