/**
 * Set-up: what a lab needs and a machine has not got, made once and kept in the cache: QEMU with
 * vfio-user, a guest kernel, an initramfs with the agent, and programs for the guest.
 *
 * <p>{@link dev.peerbar.lab.setup.Setup} is all that others use. Each product is a directory that
 * appears whole under a name which says what it was made from; nothing needs root but missing
 * compilers, and nothing needs a network once it is there.
 */
package dev.peerbar.lab.setup;
