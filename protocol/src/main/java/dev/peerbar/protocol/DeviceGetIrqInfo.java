package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** DEVICE_GET_IRQ_INFO: what an interrupt type can do. */
public final class DeviceGetIrqInfo {
  /** The server can signal an event descriptor. */
  public static final int EVENTFD = 1;

  /** The interrupts can be masked and unmasked. */
  public static final int MASKABLE = 1 << 1;

  /** An interrupt masks itself when it is raised. */
  public static final int AUTOMASKED = 1 << 2;

  /** The interrupts are set up all at once. */
  public static final int NORESIZE = 1 << 3;

  private DeviceGetIrqInfo() {}

  /**
   * The request.
   *
   * @param argsz the most bytes that the reply may have
   * @param flags zero
   * @param index the interrupt type, {@link PciIrq} for a PCI device
   * @param count zero
   */
  public record Request(int argsz, int flags, int index, int count) implements Payload {
    static final int ARGSZ = 0;
    static final int FLAGS = 4;
    static final int INDEX = 8;
    static final int COUNT = 12;
    static final int LENGTH = 16;

    /** A request with the right {@code argsz}. */
    public Request(int index) {
      this(LENGTH, 0, index, 0);
    }

    @Override
    public int encodedSize() {
      return LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(flags);
      out.writeIntLE(index);
      out.writeIntLE(count);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, LENGTH);
      int start = in.readerIndex();
      return new Request(
          in.getIntLE(start + ARGSZ),
          in.getIntLE(start + FLAGS),
          in.getIntLE(start + INDEX),
          in.getIntLE(start + COUNT));
    }
  }

  /**
   * The reply.
   *
   * @param argsz how many bytes a full reply has
   * @param flags {@link #EVENTFD}, {@link #MASKABLE}, {@link #AUTOMASKED}, {@link #NORESIZE}
   * @param index the interrupt type
   * @param count how many interrupts it has
   */
  public record Reply(int argsz, int flags, int index, int count) implements Payload {
    /** A reply with the right {@code argsz}. */
    public Reply(int flags, int index, int count) {
      this(Request.LENGTH, flags, index, count);
    }

    @Override
    public int encodedSize() {
      return Request.LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      new Request(argsz, flags, index, count).encode(out);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Request same = Request.decode(in);
      return new Reply(same.argsz, same.flags, same.index, same.count);
    }
  }
}
