/**
 * The messages of vfio-user and their encoding.
 *
 * <p>One class for each command of the specification (QEMU, docs/interop/vfio-user.rst), named as
 * the command is, with a {@code Request} and a {@code Reply} record where it has such a payload.
 * The offsets in them are those of the specification's tables: they start after the {@link
 * dev.peerbar.protocol.Header}. All numbers are little-endian, the byte order of the hosts this
 * runs on.
 *
 * <p>{@code decode} judges a payload whole, reads from the buffer's reader index to its writer
 * index, and moves neither. It checks what the message says of itself: that its table is there, and
 * as much data as are announced. A table may be followed by more, which is not looked at. Whether
 * an address, an index or a flag makes sense to a device is the server's to say. Numbers that the
 * specification leaves unsigned are kept as they are, in Java's signed types of the same width.
 *
 * <p>{@code encode} appends to the buffer.
 */
package dev.peerbar.protocol;
