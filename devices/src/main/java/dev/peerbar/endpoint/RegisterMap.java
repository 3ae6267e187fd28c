package dev.peerbar.endpoint;

import dev.peerbar.pci.AccessWidth;
import java.util.HashSet;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Registers 1, 2, 4 or 8 bytes wide, and the rule for accesses: naturally aligned and as wide as
 * the register, or an 8 wide one as two 4s. Any other access reads as zero, changes nothing and is
 * logged once for its offset. For the function's thread.
 */
public final class RegisterMap {
  private static final Logger LOG = LoggerFactory.getLogger(RegisterMap.class);

  /** A guest decides how many offsets it gets wrong; it does not decide the size of the log. */
  private static final int MOST_LOGGED = 16;

  private static final long LOW_HALF = 0xffff_ffffL;

  /**
   * A register; {@code reader} or {@code writer} is null where it is write-only or read-only.
   *
   * @param bytes 1, 2, 4 or 8
   */
  private record Register(
      String name, long offset, int bytes, LongSupplier reader, LongConsumer writer) {}

  /** Where each can be accessed: at its beginning, and in the middle of an 8 wide one. */
  private final Register[] byOffset;

  private final Set<Long> logged = new HashSet<>();

  /**
   * @param size of the BAR in bytes
   */
  public RegisterMap(long size) {
    byOffset = new Register[Math.toIntExact(size)];
  }

  /**
   * @param bytes 1, 2, 4 or 8
   */
  public RegisterMap readOnly(long offset, String name, int bytes, LongSupplier reader) {
    return add(new Register(name, offset, bytes, reader, null));
  }

  /**
   * Of an 8 wide register, {@code writer} gets the whole even if half of it is written.
   *
   * @param bytes 1, 2, 4 or 8
   */
  public RegisterMap readWrite(
      long offset, String name, int bytes, LongSupplier reader, LongConsumer writer) {
    return add(new Register(name, offset, bytes, reader, writer));
  }

  /** Always 4 bytes wide. */
  public RegisterMap writeOnly(long offset, String name, LongConsumer writer) {
    return add(new Register(name, offset, Integer.BYTES, null, writer));
  }

  private RegisterMap add(Register register) {
    byOffset[(int) register.offset] = register;
    if (register.bytes == Long.BYTES) {
      byOffset[(int) register.offset + Integer.BYTES] = register;
    }
    return this;
  }

  /** What {@link Endpoint#read} answers. */
  public long read(long offset, AccessWidth width) {
    Register register = find(offset, width);
    if (register == null || register.reader == null) {
      refuse("read", register, offset, width);
      return 0;
    }
    long value = register.reader.getAsLong() >>> Byte.SIZE * (offset - register.offset);
    return value & -1L >>> Long.SIZE - Byte.SIZE * width.bytes();
  }

  /** What {@link Endpoint#write} does. */
  public void write(long offset, AccessWidth width, long value) {
    Register register = find(offset, width);
    if (register == null || register.writer == null) {
      refuse("write", register, offset, width);
      return;
    }
    if (register.bytes == width.bytes()) {
      register.writer.accept(value);
    } else {
      long shift = Byte.SIZE * (offset - register.offset);
      long otherHalf = register.reader.getAsLong() & ~(LOW_HALF << shift);
      register.writer.accept(otherHalf | (value & LOW_HALF) << shift);
    }
  }

  /** The register that allows an access of this width here, or null. */
  private Register find(long offset, AccessWidth width) {
    Register register = byOffset[(int) offset];
    if (register == null) {
      return null;
    }
    boolean whole = register.offset == offset && register.bytes == width.bytes();
    boolean half = register.bytes == Long.BYTES && width == AccessWidth.DWORD;
    return whole || half ? register : null;
  }

  private void refuse(String what, Register register, long offset, AccessWidth width) {
    if (logged.size() == MOST_LOGGED || !logged.add(offset)) {
      return;
    }
    LOG.warn(
        "{}-byte {} at 0x{} ({}) is not allowed; reads zero, changes nothing{}",
        width.bytes(),
        what,
        Long.toHexString(offset),
        register == null ? "no such register" : register.name,
        logged.size() == MOST_LOGGED ? " (the last of these to be logged)" : "");
  }
}
