package dev.peerbar.pci;

import java.util.function.LongSupplier;

/**
 * A register of config space that the author of an endpoint declares, outside of any capability or
 * in a vendor-specific one. Each of its bits is read-only unless one of the masks says otherwise.
 *
 * <p>Masks and values are little-endian, as a driver reads them, and no wider than the register.
 * What is stored here moves with the function to another process, and is given its initial value by
 * resets, but for the bits that say otherwise.
 *
 * @param offset in bytes: in config space, or from the start of the capability that it is declared
 *     in
 * @param bytes 1 to 8
 * @param initial after power-on
 * @param writable bits that software writes
 * @param clearedByOnes bits that software clears by writing 1 (RW1C)
 * @param changedByDevice bits that the endpoint changes, through {@link PciFunction#setConfig};
 *     those of the two masks before it may change too, without being named here
 * @param keptByFunctionReset bits that survive resets of the function alone ({@link
 *     ResetKind#FUNCTION_LEVEL}, {@link ResetKind#D3HOT_TO_D0})
 * @param sticky bits that survive every reset
 * @param reader says what is read, in place of what is stored; null for what is stored
 * @param writer told of writes; null if nobody is
 */
public record ConfigRegister(
    int offset,
    int bytes,
    long initial,
    long writable,
    long clearedByOnes,
    long changedByDevice,
    long keptByFunctionReset,
    long sticky,
    LongSupplier reader,
    Writer writer) {

  /** Told of a write, on the function's thread, when all of the access has been stored. */
  @FunctionalInterface
  public interface Writer {

    /**
     * Software wrote the register, or some bytes of it.
     *
     * @param value what it wrote, in its place; other bytes are zero. What is stored now is {@link
     *     PciFunction#config}
     * @param mask ones in the bytes that it wrote
     */
    void written(long value, long mask);
  }

  public ConfigRegister {
    require(bytes >= 1 && bytes <= Long.BYTES, "has 1 to 8 bytes, not " + bytes, offset);
    long all = mask(bytes);
    require(
        ((initial | writable | clearedByOnes | changedByDevice | keptByFunctionReset | sticky)
                & ~all)
            == 0,
        "has %d bytes, and a value or a mask that is wider".formatted(bytes),
        offset);
    require(
        (writable & clearedByOnes) == 0,
        "has a bit that is writable and cleared by ones at once",
        offset);
    require(
        reader == null
            || (initial | writable | clearedByOnes | changedByDevice | keptByFunctionReset | sticky)
                == 0,
        "is the endpoint's to read, so that nothing is stored and no mask means anything",
        offset);
  }

  /** A register of read-only zeros, so far. */
  public static ConfigRegister at(int offset, int bytes) {
    return new ConfigRegister(offset, bytes, 0, 0, 0, 0, 0, 0, null, null);
  }

  /** The same with another value after power-on. */
  public ConfigRegister initial(long value) {
    return new ConfigRegister(
        offset,
        bytes,
        value,
        writable,
        clearedByOnes,
        changedByDevice,
        keptByFunctionReset,
        sticky,
        reader,
        writer);
  }

  /** The same with bits that software writes. */
  public ConfigRegister writable(long mask) {
    return new ConfigRegister(
        offset,
        bytes,
        initial,
        mask,
        clearedByOnes,
        changedByDevice,
        keptByFunctionReset,
        sticky,
        reader,
        writer);
  }

  /** The same with bits that software clears by writing 1. */
  public ConfigRegister clearedByOnes(long mask) {
    return new ConfigRegister(
        offset,
        bytes,
        initial,
        writable,
        mask,
        changedByDevice,
        keptByFunctionReset,
        sticky,
        reader,
        writer);
  }

  /** The same with bits that the endpoint changes. */
  public ConfigRegister changedByDevice(long mask) {
    return new ConfigRegister(
        offset,
        bytes,
        initial,
        writable,
        clearedByOnes,
        mask,
        keptByFunctionReset,
        sticky,
        reader,
        writer);
  }

  /** The same with bits that survive resets of the function alone. */
  public ConfigRegister keptByFunctionReset(long mask) {
    return new ConfigRegister(
        offset,
        bytes,
        initial,
        writable,
        clearedByOnes,
        changedByDevice,
        mask,
        sticky,
        reader,
        writer);
  }

  /** The same with bits that survive every reset. */
  public ConfigRegister sticky(long mask) {
    return new ConfigRegister(
        offset,
        bytes,
        initial,
        writable,
        clearedByOnes,
        changedByDevice,
        keptByFunctionReset,
        mask,
        reader,
        writer);
  }

  /**
   * The same as a register of the endpoint's own: nothing is stored, and its value is the
   * endpoint's state.
   *
   * @param value called on the function's thread, for each access that reads a byte of it
   */
  public ConfigRegister onRead(LongSupplier value) {
    return new ConfigRegister(
        offset,
        bytes,
        initial,
        writable,
        clearedByOnes,
        changedByDevice,
        keptByFunctionReset,
        sticky,
        value,
        writer);
  }

  /** The same with the endpoint told of writes. */
  public ConfigRegister onWrite(Writer told) {
    return new ConfigRegister(
        offset,
        bytes,
        initial,
        writable,
        clearedByOnes,
        changedByDevice,
        keptByFunctionReset,
        sticky,
        reader,
        told);
  }

  /** Ones in so many bytes. */
  static long mask(int bytes) {
    return bytes == Long.BYTES ? -1 : (1L << bytes * Byte.SIZE) - 1;
  }

  private static void require(boolean holds, String otherwise, int offset) {
    if (!holds) {
      throw new IllegalArgumentException(
          "The config register at 0x%x %s.".formatted(offset, otherwise));
    }
  }
}
