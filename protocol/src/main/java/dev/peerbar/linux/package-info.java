/**
 * The few calls of the C library that the protocol needs, through {@link java.lang.foreign}: memory
 * file descriptors and their mappings, event descriptors, and Unix sockets that carry descriptors.
 *
 * <p>Linux on a 64-bit machine only. Every open descriptor has one owner, a {@link
 * dev.peerbar.linux.FileDescriptor}. Failures are {@link dev.peerbar.linux.LinuxException}s with
 * the errno.
 */
package dev.peerbar.linux;
