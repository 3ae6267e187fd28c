package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;

/** DEVICE_SET_IRQS: what happens when an interrupt is raised, masked or unmasked. */
public final class DeviceSetIrqs {
  /** The action is for all interrupts of the range. */
  public static final int DATA_NONE = 1;

  /** The action is for those whose byte in the data is not zero. */
  public static final int DATA_BOOL = 1 << 1;

  /** The action signals the event descriptors that come along, from now on; none: no more. */
  public static final int DATA_EVENTFD = 1 << 2;

  public static final int ACTION_MASK = 1 << 3;
  public static final int ACTION_UNMASK = 1 << 4;
  public static final int ACTION_TRIGGER = 1 << 5;

  /** All of the {@code DATA_} flags. */
  public static final int DATA_MASK = DATA_NONE | DATA_BOOL | DATA_EVENTFD;

  /** All of the {@code ACTION_} flags. */
  public static final int ACTIONS = ACTION_MASK | ACTION_UNMASK | ACTION_TRIGGER;

  private DeviceSetIrqs() {}

  /**
   * The request. The reply has no payload.
   *
   * @param argsz the length of this structure with the data
   * @param flags one of {@code DATA_} and one of {@code ACTION_}; not judged here
   * @param index the interrupt type, {@link PciIrq} for a PCI device
   * @param start the first interrupt
   * @param count how many interrupts, unsigned
   * @param data with {@link #DATA_BOOL} {@code count} bytes, else none; decoded, lives as long as
   *     the payload
   */
  public record Request(int argsz, int flags, int index, int start, int count, ByteBuf data)
      implements Payload {
    static final int ARGSZ = 0;
    static final int FLAGS = 4;
    static final int INDEX = 8;
    static final int START = 12;
    static final int COUNT = 16;
    static final int DATA = 20;

    /** The length without data, in bytes. */
    public static final int FIXED_LENGTH = DATA;

    /** A request with the right {@code argsz}. */
    public Request(int flags, int index, int start, int count, ByteBuf data) {
      this(DATA + data.readableBytes(), flags, index, start, count, data);
    }

    @Override
    public int encodedSize() {
      return DATA + data.readableBytes();
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(flags);
      out.writeIntLE(index);
      out.writeIntLE(start);
      out.writeIntLE(count);
      Fields.append(out, data);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short, or the booleans are not as many as
     *     announced
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, FIXED_LENGTH);
      int at = in.readerIndex();
      int flags = in.getIntLE(at + FLAGS);
      int count = in.getIntLE(at + COUNT);
      boolean booleans = (flags & DATA_BOOL) != 0;
      if (booleans) {
        Fields.tail(in, DATA, Integer.toUnsignedLong(count));
      }
      return new Request(
          in.getIntLE(at + ARGSZ),
          flags,
          in.getIntLE(at + INDEX),
          in.getIntLE(at + START),
          count,
          booleans ? Fields.tail(in, DATA) : Unpooled.EMPTY_BUFFER);
    }
  }
}
