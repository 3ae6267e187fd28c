/**
 * The lab: a real QEMU with a real Linux guest, driven from Java on the host.
 *
 * <p>{@code setup} makes or finds the {@code files} of a lab, {@code qemu} runs them, {@code boot}
 * knows when the guest is up; {@code guest} is what is inside, by way of its agent, {@code vfio}
 * and {@code disk} its devices under user-space and stock drivers, {@code uapi} the kernel's
 * structures. {@code scenario} is what a lab performs, {@code command} what a person types. None of
 * these rooms is entered in a circle.
 */
package dev.peerbar.lab;
