package dev.peerbar.lab.files;

import java.nio.file.Path;

/**
 * What set-up made, or found.
 *
 * @param qemu a QEMU with {@code vfio-user-pci}
 * @param kernel the guest's bzImage
 * @param initramfs with the agent and busybox
 * @param userland directory that a guest can have as its {@code /usr}
 */
public record LabFiles(QemuBinary qemu, Path kernel, Path initramfs, Path userland) {}
