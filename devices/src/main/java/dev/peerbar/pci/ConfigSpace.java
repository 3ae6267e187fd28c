package dev.peerbar.pci;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Objects;

/**
 * The bytes of config space, each bit with its own behaviour: read-only unless declared otherwise.
 *
 * <p>Knows no register by name. The classes of the header and of the capabilities declare their
 * registers here and keep the offsets.
 */
final class ConfigSpace {

  private final byte[] value = new byte[PciFunction.CONFIG_SPACE_SIZE];
  private final byte[] initial = new byte[PciFunction.CONFIG_SPACE_SIZE];
  private final byte[] writable = new byte[PciFunction.CONFIG_SPACE_SIZE];
  private final byte[] clearedByOnes = new byte[PciFunction.CONFIG_SPACE_SIZE];
  private final byte[] changedByDevice = new byte[PciFunction.CONFIG_SPACE_SIZE];
  private final byte[] keptByFunctionReset = new byte[PciFunction.CONFIG_SPACE_SIZE];
  private final byte[] sticky = new byte[PciFunction.CONFIG_SPACE_SIZE];

  /** Declares a register of {@code bytes} (1 to 8) with its value at power-on, read-only so far. */
  Register declare(int offset, int bytes, long initialValue) {
    Register register = new Register(offset, bytes);
    register.put(initial, initialValue);
    register.put(value, initialValue);
    return register;
  }

  /** A register's behaviours, by mask; a bit not named in any call is read-only. */
  final class Register {
    private final int offset;
    private final int bytes;

    private Register(int offset, int bytes) {
      Objects.checkFromIndexSize(offset, bytes, value.length);
      this.offset = offset;
      this.bytes = bytes;
    }

    Register writable(long mask) {
      return put(writable, mask);
    }

    /** RW1C: writing 1 clears the bit, writing 0 leaves it. */
    Register clearedByOnes(long mask) {
      return put(clearedByOnes, mask);
    }

    /** The hardware's side changes the bit, and it is a part of the function's state. */
    Register changedByDevice(long mask) {
      return put(changedByDevice, mask);
    }

    /** Survives resets of the function alone, but not those of its bus or device. */
    Register keptByFunctionReset(long mask) {
      return put(keptByFunctionReset, mask);
    }

    /** Survives every reset but a cold one (the S of RWS, RW1CS and ROS). */
    Register sticky(long mask) {
      return put(sticky, mask);
    }

    private Register put(byte[] array, long bits) {
      for (int i = 0; i < bytes; i++) {
        array[offset + i] = (byte) (bits >>> (8 * i));
      }
      return this;
    }
  }

  void read(int offset, ByteBuffer into) {
    Objects.checkFromIndexSize(offset, into.remaining(), value.length);
    into.put(value, offset, into.remaining());
  }

  void write(int offset, ByteBuffer from) {
    Objects.checkFromIndexSize(offset, from.remaining(), value.length);
    for (int at = offset; from.hasRemaining(); at++) {
      byte written = from.get();
      int stored = (value[at] & ~writable[at]) | (written & writable[at]);
      value[at] = (byte) (stored & ~(written & clearedByOnes[at]));
    }
  }

  /** The bits of up to 8 bytes, zero-extended. */
  long get(int offset, int bytes) {
    long bits = 0;
    for (int i = 0; i < bytes; i++) {
      bits |= (value[offset + i] & 0xffL) << i * Byte.SIZE;
    }
    return bits;
  }

  /** Sets up to 8 bytes, as {@link #setWord} does. */
  void set(int offset, int bytes, long bits) {
    for (int i = 0; i < bytes; i++) {
      value[offset + i] = (byte) (bits >>> i * Byte.SIZE);
    }
  }

  int word(int offset) {
    return (value[offset] & 0xff) | (value[offset + 1] & 0xff) << 8;
  }

  /** Sets bits whatever their behaviour towards software: the hardware's side of a register. */
  void setWord(int offset, int bits) {
    value[offset] = (byte) bits;
    value[offset + 1] = (byte) (bits >>> 8);
  }

  void reset(ResetKind kind) {
    boolean functionAlone =
        switch (kind) {
          case FUNCTION_LEVEL, D3HOT_TO_D0 -> true;
          case BUS_OR_DEVICE -> false;
        };
    for (int at = 0; at < value.length; at++) {
      int kept = sticky[at];
      if (functionAlone) {
        kept |= keptByFunctionReset[at];
      }
      value[at] = (byte) ((value[at] & kept) | (initial[at] & ~kept));
    }
  }

  /** The bits that are not the same for ever; all others zero. */
  byte[] save() {
    byte[] saved = new byte[value.length];
    for (int at = 0; at < saved.length; at++) {
      saved[at] = (byte) (value[at] & changeable(at));
    }
    return saved;
  }

  /**
   * Takes bits on that {@link #save} gave.
   *
   * @throws InvalidStateException if another bit is set, or the length is wrong; nothing changed
   */
  void restore(byte[] saved) throws InvalidStateException {
    if (saved.length != value.length) {
      throw new InvalidStateException("%d bytes of config space".formatted(saved.length));
    }
    for (int at = 0; at < saved.length; at++) {
      if ((saved[at] & ~changeable(at)) != 0) {
        throw new InvalidStateException(
            "Config space has 0x%02x at 0x%03x, where only 0x%02x can change"
                .formatted(saved[at] & 0xff, at, changeable(at) & 0xff));
      }
    }
    for (int at = 0; at < saved.length; at++) {
      value[at] = (byte) (value[at] & ~changeable(at) | saved[at]);
    }
  }

  /** What software can set or clear, and what the hardware sets. */
  private byte changeable(int at) {
    return (byte) (writable[at] | clearedByOnes[at] | changedByDevice[at] | sticky[at]);
  }

  /** What was declared: the value at power-on, and what may change of it. */
  byte[] declaration() {
    byte[] declared = Arrays.copyOf(initial, 2 * initial.length);
    for (int at = 0; at < initial.length; at++) {
      declared[initial.length + at] = changeable(at);
    }
    return declared;
  }

  /** The bits that nothing ever changes; for tests of exactly that. */
  byte[] constantMask() {
    byte[] mask = new byte[value.length];
    for (int at = 0; at < mask.length; at++) {
      mask[at] = (byte) ~changeable(at);
    }
    return mask;
  }

  /** A copy of the bits that no write of software can set; for tests of exactly that. */
  byte[] readOnlyMask() {
    byte[] mask = Arrays.copyOf(writable, writable.length);
    for (int at = 0; at < mask.length; at++) {
      mask[at] = (byte) ~(writable[at] | clearedByOnes[at]);
    }
    return mask;
  }
}
