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
 * @param kernelArguments words that the kernel's configuration wants on its command line; or empty
 */
public record LabFiles(
    QemuBinary qemu,
    Path kernel,
    Path initramfs,
    Path userland,
    Optional<Path> modules,
    String kernelArguments) {

  /** With a kernel that asks for nothing on its command line. */
  public LabFiles(
      QemuBinary qemu, Path kernel, Path initramfs, Path userland, Optional<Path> modules) {
    this(qemu, kernel, initramfs, userland, modules, "");
  }

  /** With a kernel that needs no modules. */
  public LabFiles(QemuBinary qemu, Path kernel, Path initramfs, Path userland) {
    this(qemu, kernel, initramfs, userland, Optional.empty());
  }

  /** The same with another kernel, which needs no modules. */
  public LabFiles withKernel(Path image, String arguments) {
    return new LabFiles(qemu, image, initramfs, userland, Optional.empty(), arguments);
  }

  /** The same with another initramfs. */
  public LabFiles withInitramfs(Path image) {
    return new LabFiles(qemu, kernel, image, userland, modules, kernelArguments);
  }
}
