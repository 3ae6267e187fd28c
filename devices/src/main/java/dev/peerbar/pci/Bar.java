package dev.peerbar.pci;

import java.util.List;
import java.util.Optional;

/**
 * A base address register, as declared.
 *
 * <p>Sizes are powers of two, in bytes. A 64-bit BAR takes the next index too.
 */
public sealed interface Bar {

  /** 0 to 5. */
  int index();

  /** In bytes, a power of two, at least 16. */
  long size();

  /** What its address register says of it. */
  Type type();

  /** Where a BAR can be, and whether reads have side effects (PCIe 6.0 7.5.1.2.1). */
  enum Type {
    MEMORY_32,
    /** Anywhere; it takes the next index too. */
    MEMORY_64,
    /**
     * Anywhere, and reads have no side effects: bridges may place it above 4 GiB, and read ahead.
     */
    MEMORY_64_PREFETCHABLE;

    /** How many indexes it takes. */
    public int indexes() {
      return this == MEMORY_32 ? 1 : 2;
    }
  }

  /**
   * A BAR whose accesses the endpoint answers, but for its doorbells if they are mapped, and for
   * the MSI-X structures if they are in it ({@link PciFunctionBuilder#msixIn}).
   *
   * @param mapped doorbells in shared memory
   * @param events writes outside those that a client may announce by an event descriptor, the most
   *     useful first
   */
  record Registers(
      int index, long size, Type type, Optional<Doorbells> mapped, List<IoEventFd> events)
      implements Bar {

    public Registers {
      events = List.copyOf(events);
    }

    /** Of 32 bits. */
    public Registers(int index, long size, Optional<Doorbells> mapped, List<IoEventFd> events) {
      this(index, size, Type.MEMORY_32, mapped, events);
    }

    /** Of 32 bits, without ioeventfds. */
    public Registers(int index, long size, Optional<Doorbells> mapped) {
      this(index, size, mapped, List.of());
    }

    /** Of 32 bits, without doorbells that are more than registers. */
    public Registers(int index, long size) {
      this(index, size, Optional.empty());
    }

    /** The same of another type. */
    public Registers type(Type other) {
      return new Registers(index, size, other, mapped, events);
    }

    /** The same with doorbells in shared memory. */
    public Registers mapped(Doorbells doorbells) {
      return new Registers(index, size, type, Optional.of(doorbells), events);
    }

    /** The same with writes that a client may announce by event descriptors. */
    public Registers events(List<IoEventFd> doorbells) {
      return new Registers(index, size, type, mapped, doorbells);
    }
  }

  /** A 64-bit prefetchable BAR that is memory through and through, shared with the client. */
  record Memory(int index, long size) implements Bar {

    @Override
    public Type type() {
      return Type.MEMORY_64_PREFETCHABLE;
    }
  }

  /** A 32-bit BAR that holds the MSI-X structures and nothing else; the host serves it. */
  record Msix(int index, long size) implements Bar {

    @Override
    public Type type() {
      return Type.MEMORY_32;
    }
  }

  /**
   * Doorbell registers in memory shared with the client: page-aligned, whole pages. They read back
   * what was stored. The host watches 4-byte registers at {@code offset}, {@code offset + stride}
   * and so on, and reports a change as a write to the endpoint.
   *
   * @param offset of the area in the BAR, in bytes
   * @param length of the area, in bytes
   * @param stride between registers, in bytes
   * @param count of registers
   */
  record Doorbells(long offset, long length, int stride, int count) {

    /** Whether a part of the BAR has a byte of the area. */
    public boolean touches(long otherOffset, long otherLength) {
      return offset < otherOffset + otherLength && otherOffset < offset + length;
    }
  }

  /**
   * A write that carries no news but that it happened: one value to one register. A client's kernel
   * can signal an event descriptor instead of having it sent as a message (KVM_IOEVENTFD with a
   * datamatch); the endpoint sees a write all the same. Several before it is told are one.
   *
   * @param offset of the register in the BAR, in bytes, naturally aligned
   * @param width of the write; a write of another width is a message as ever
   * @param value zero-extended to 64 bits; a write of another value is a message as ever
   */
  record IoEventFd(long offset, AccessWidth width, long value) {}
}
