/**
 * The lab: a real QEMU with a real Linux guest, driven from Java on the host.
 *
 * <p>{@link dev.peerbar.lab.Lab} boots a guest; {@link dev.peerbar.lab.Guest} and what it hands out
 * ({@link dev.peerbar.lab.PciDevice}, {@link dev.peerbar.lab.VfioDevice}, {@link
 * dev.peerbar.lab.Iommufd}, {@link dev.peerbar.lab.Ioas}, {@link dev.peerbar.lab.DmaBuf}) let a
 * scenario read as lines of intent. The way of the data: {@code lab.setup} makes QEMU, kernel and
 * initramfs, {@code lab.qemu} runs them, {@code lab.guest} talks to the agent inside, {@code
 * lab.uapi} holds the kernel's structures.
 */
package dev.peerbar.lab;
