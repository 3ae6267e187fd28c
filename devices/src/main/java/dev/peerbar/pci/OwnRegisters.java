package dev.peerbar.pci;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The registers of config space that are the endpoint's own, where they came to be. */
final class OwnRegisters {
  private final ConfigSpace space;
  private final List<Placed> all = new ArrayList<>();
  private final List<Placed> read = new ArrayList<>();
  private final List<Placed> written = new ArrayList<>();

  /** A register, and where it begins in config space. */
  private record Placed(int at, ConfigRegister register) {
    boolean holds(int offset, int bytes) {
      return offset >= at && offset + bytes <= at + register.bytes();
    }

    int from(int offset) {
      return Math.max(at, offset);
    }

    int end(int offset, int count) {
      return Math.min(at + register.bytes(), offset + count);
    }
  }

  OwnRegisters(ConfigSpace space) {
    this.space = space;
  }

  /**
   * @param base where its capability begins; zero outside of any
   */
  void declare(int base, ConfigRegister register) {
    int at = base + register.offset();
    space
        .declare(at, register.bytes(), register.initial())
        .writable(register.writable())
        .clearedByOnes(register.clearedByOnes())
        .changedByDevice(register.changedByDevice())
        .keptByFunctionReset(register.keptByFunctionReset())
        .sticky(register.sticky());
    Placed placed = new Placed(at, register);
    all.add(placed);
    if (register.reader() != null) {
      read.add(placed);
    }
    if (register.writer() != null) {
      written.add(placed);
    }
  }

  boolean isEmpty() {
    return all.isEmpty();
  }

  /**
   * Puts what the endpoint says in place of what was stored.
   *
   * @param start where the access begins in the buffer
   * @param count of the access, in bytes
   */
  void read(int offset, int count, ByteBuffer into, int start) {
    for (Placed placed : read) {
      int end = placed.end(offset, count);
      if (placed.from(offset) < end) {
        long value = placed.register.reader().getAsLong();
        for (int at = placed.from(offset); at < end; at++) {
          into.put(start + at - offset, (byte) (value >>> (at - placed.at) * Byte.SIZE));
        }
      }
    }
  }

  /**
   * Tells the endpoint what was written.
   *
   * @param start where the access begins in the buffer
   * @param count of the access, in bytes
   */
  void write(int offset, int count, ByteBuffer from, int start) {
    for (Placed placed : written) {
      long value = 0;
      long mask = 0;
      for (int at = placed.from(offset); at < placed.end(offset, count); at++) {
        int shift = (at - placed.at) * Byte.SIZE;
        value |= (from.get(start + at - offset) & 0xffL) << shift;
        mask |= 0xffL << shift;
      }
      if (mask != 0) {
        placed.register.writer().written(value, mask);
      }
    }
  }

  /** See {@link PciFunction#setConfig}. */
  void set(int offset, int bytes, long value) {
    ConfigRegister register = null;
    int shift = 0;
    for (Placed placed : all) {
      if (placed.holds(offset, bytes)) {
        register = placed.register;
        shift = (offset - placed.at) * Byte.SIZE;
      }
    }
    if (register == null) {
      throw new IllegalArgumentException(
          "%d bytes at 0x%x of config space are not in a register of the endpoint's own."
              .formatted(bytes, offset));
    }
    long changeable =
        (register.writable() | register.clearedByOnes() | register.changedByDevice()) >>> shift;
    if (((space.get(offset, bytes) ^ value) & ~changeable) != 0) {
      throw new IllegalArgumentException(
          "0x%x at 0x%x of config space changes a bit that was not declared to change."
              .formatted(value, offset));
    }
    space.set(offset, bytes, value);
  }
}
