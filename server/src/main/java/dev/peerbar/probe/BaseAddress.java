package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout.Header;
import java.util.ArrayList;
import java.util.List;

/**
 * A base address register (PCIe 6.0 7.5.1.2.1), as it is: nothing is written to learn more.
 *
 * @param index from 0 to 5
 * @param kind what it decodes
 * @param prefetchable whether reads have no side effects
 * @param address what was programmed, 0 if nothing
 */
record BaseAddress(int index, Kind kind, boolean prefetchable, long address) {
  private static final int COUNT = 6;
  private static final int IO = 1;
  private static final int IO_ADDRESS = ~3;
  private static final int MEMORY_ADDRESS = ~Header.BAR_TYPE;

  /** What a register decodes, and lspci's words for it. */
  enum Kind {
    IO("I/O ports"),
    MEMORY_32("32-bit"),
    MEMORY_64("64-bit"),
    MEMORY_LOW("low-1M"),
    MEMORY_RESERVED("type 3");

    private final String words;

    Kind(String words) {
      this.words = words;
    }

    String words() {
      return words;
    }

    boolean isMemory() {
      return this != IO;
    }
  }

  /** Those of an endpoint, without the upper halves of 64-bit ones. */
  static List<BaseAddress> decode(ConfigBytes config) {
    List<BaseAddress> found = new ArrayList<>();
    for (int i = 0; i < COUNT; i++) {
      BaseAddress register = decode(config, i);
      found.add(register);
      if (register.kind == Kind.MEMORY_64) {
        i++;
      }
    }
    return found;
  }

  private static BaseAddress decode(ConfigBytes config, int index) {
    int at = Header.BAR0 + index * Integer.BYTES;
    int value = config.longAt(at);
    // All ones is what a bus reads where nobody answers.
    int low = value == -1 ? 0 : value;
    if ((low & IO) != 0) {
      return new BaseAddress(index, Kind.IO, false, Integer.toUnsignedLong(low & IO_ADDRESS));
    }
    Kind kind =
        switch (low >>> 1 & 0x3) {
          case 0 -> Kind.MEMORY_32;
          case 1 -> Kind.MEMORY_LOW;
          case 2 -> Kind.MEMORY_64;
          default -> Kind.MEMORY_RESERVED;
        };
    long address = Integer.toUnsignedLong(low & MEMORY_ADDRESS);
    if (kind == Kind.MEMORY_64 && index + 1 < COUNT) {
      address |= (long) config.longAt(at + Integer.BYTES) << Integer.SIZE;
    }
    return new BaseAddress(index, kind, (low & Header.BAR_PREFETCHABLE) != 0, address);
  }

  /** Whether there is anything in the register, if only its type. */
  boolean isPlain() {
    return address == 0 && kind == Kind.MEMORY_32 && !prefetchable;
  }
}
