package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.Msi;
import dev.peerbar.pci.ConfigLayout.Msix;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;

/**
 * The MSI-X table and pending bits in a BAR of their own or among registers (PCIe 6.0 7.7.2). For
 * the function's thread.
 *
 * <p>Storage and nothing more: no message is sent from here, and a client that keeps the table to
 * itself (as VFIO clients do) may leave every entry here masked for ever.
 */
public final class MsixTable {
  /** A message is a 4-byte write: the low two bits of its address are always zero. */
  private static final byte ADDRESS_LOW_WRITABLE = (byte) ~Msi.ADDRESS_LOW_BITS;

  private final PciFunction.MsixLayout layout;
  private final byte[] table;
  private final byte[] pending;

  /** All vectors masked, none pending. */
  public MsixTable(PciFunction.MsixLayout layout) {
    this.layout = layout;
    table = new byte[Math.toIntExact(layout.tableLength())];
    pending = new byte[Math.toIntExact(layout.pendingLength())];
    reset();
  }

  /**
   * Reads the BAR: any length and alignment. Bytes outside the structures read zero.
   *
   * @param offset in the BAR, not negative
   */
  public void read(long offset, ByteBuffer into) {
    for (long at = offset; into.hasRemaining(); at++) {
      into.put(readByte(at));
    }
  }

  private byte readByte(long at) {
    if (at >= layout.tableOffset() && at - layout.tableOffset() < table.length) {
      return table[(int) (at - layout.tableOffset())];
    }
    if (at >= layout.pendingOffset() && at - layout.pendingOffset() < pending.length) {
      return pending[(int) (at - layout.pendingOffset())];
    }
    return 0;
  }

  /**
   * Writes the BAR: any length and alignment. Reserved bits, pending bits and bytes outside the
   * structures do not change.
   *
   * @param offset in the BAR, not negative
   */
  public void write(long offset, ByteBuffer from) {
    for (long at = offset; from.hasRemaining(); at++) {
      byte written = from.get();
      if (at >= layout.tableOffset() && at - layout.tableOffset() < table.length) {
        int index = (int) (at - layout.tableOffset());
        table[index] = (byte) (written & writableBits(index % Msix.ENTRY_BYTES));
      }
    }
  }

  private static byte writableBits(int byteOfEntry) {
    if (byteOfEntry == Msix.ENTRY_ADDRESS) {
      return ADDRESS_LOW_WRITABLE;
    }
    if (byteOfEntry == Msix.ENTRY_VECTOR_CONTROL) {
      return Msix.ENTRY_MASKED;
    }
    return byteOfEntry < Msix.ENTRY_VECTOR_CONTROL ? (byte) 0xff : 0;
  }

  /** Number of vectors. */
  public int vectors() {
    return layout.vectors();
  }

  /** The Mask bit of a vector's entry; the Function Mask is {@link PciFunction#msixMasked}. */
  public boolean masked(int vector) {
    return (table[entry(vector) + Msix.ENTRY_VECTOR_CONTROL] & Msix.ENTRY_MASKED) != 0;
  }

  /** Where the client wants the vector's message. */
  public long messageAddress(int vector) {
    return ByteBuffer.wrap(table)
        .order(ByteOrder.LITTLE_ENDIAN)
        .getLong(entry(vector) + Msix.ENTRY_ADDRESS);
  }

  /** What the client wants the vector's message to say. */
  public int messageData(int vector) {
    return ByteBuffer.wrap(table)
        .order(ByteOrder.LITTLE_ENDIAN)
        .getInt(entry(vector) + Msix.ENTRY_DATA);
  }

  public boolean isPending(int vector) {
    return (pending[byteOf(vector)] & bitOf(vector)) != 0;
  }

  public void setPending(int vector) {
    pending[byteOf(vector)] |= bitOf(vector);
  }

  public void clearPending(int vector) {
    pending[byteOf(vector)] &= (byte) ~bitOf(vector);
  }

  /** Every kind of reset: all entries zero and masked, nothing pending. */
  public void reset() {
    Arrays.fill(pending, (byte) 0);
    Arrays.fill(table, (byte) 0);
    for (int vector = 0; vector < layout.vectors(); vector++) {
      table[entry(vector) + Msix.ENTRY_VECTOR_CONTROL] = Msix.ENTRY_MASKED;
    }
  }

  /** Bytes that {@link #saveState} gives. */
  public int stateLength() {
    return table.length + pending.length;
  }

  /** The table and, behind it, the pending bits. */
  public byte[] saveState() {
    byte[] saved = Arrays.copyOf(table, stateLength());
    System.arraycopy(pending, 0, saved, table.length, pending.length);
    return saved;
  }

  /**
   * Takes on what {@link #saveState} gave, or what somebody made up.
   *
   * @throws InvalidStateException if a reserved bit is set, or the pending bit of a vector that is
   *     none, or the length is wrong; nothing has changed then
   */
  public void restoreState(byte[] saved) throws InvalidStateException {
    if (saved.length != stateLength()) {
      throw new InvalidStateException("%d bytes of MSI-X structures".formatted(saved.length));
    }
    for (int at = 0; at < table.length; at++) {
      if ((saved[at] & ~writableBits(at % Msix.ENTRY_BYTES)) != 0) {
        throw new InvalidStateException(
            "A reserved bit is set in the entry of vector " + at / Msix.ENTRY_BYTES);
      }
    }
    for (int bit = layout.vectors(); bit < pending.length * Byte.SIZE; bit++) {
      if ((saved[table.length + bit / Byte.SIZE] & bitOf(bit)) != 0) {
        throw new InvalidStateException("Vector %d, which is none, is pending".formatted(bit));
      }
    }
    System.arraycopy(saved, 0, table, 0, table.length);
    System.arraycopy(saved, table.length, pending, 0, pending.length);
  }

  private int entry(int vector) {
    return Objects.checkIndex(vector, layout.vectors()) * Msix.ENTRY_BYTES;
  }

  private int byteOf(int vector) {
    return Objects.checkIndex(vector, layout.vectors()) / Byte.SIZE;
  }

  private static byte bitOf(int vector) {
    return (byte) (1 << vector % Byte.SIZE);
  }
}
