package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** DEVICE_GET_INFO: what the device is. */
public final class DeviceGetInfo {
  /** The device can be reset (VFIO_DEVICE_FLAGS_RESET). */
  public static final int RESET = 1;

  /** It is a PCI device (VFIO_DEVICE_FLAGS_PCI). */
  public static final int PCI = 1 << 1;

  private DeviceGetInfo() {}

  /**
   * The request.
   *
   * @param argsz the most bytes that the reply may have
   * @param flags zero
   * @param numRegions zero
   * @param numIrqs zero
   */
  public record Request(int argsz, int flags, int numRegions, int numIrqs) implements Payload {
    static final int ARGSZ = 0;
    static final int FLAGS = 4;
    static final int NUM_REGIONS = 8;
    static final int NUM_IRQS = 12;
    static final int LENGTH = 16;

    /** A request with the right {@code argsz}. */
    public Request() {
      this(LENGTH, 0, 0, 0);
    }

    @Override
    public int encodedSize() {
      return LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(flags);
      out.writeIntLE(numRegions);
      out.writeIntLE(numIrqs);
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
          in.getIntLE(start + NUM_REGIONS),
          in.getIntLE(start + NUM_IRQS));
    }
  }

  /**
   * The reply.
   *
   * @param argsz how many bytes a full reply has
   * @param flags {@link #RESET}, {@link #PCI}
   * @param numRegions how many regions there are
   * @param numIrqs how many interrupt types there are
   */
  public record Reply(int argsz, int flags, int numRegions, int numIrqs) implements Payload {
    /** A reply with the right {@code argsz}. */
    public Reply(int flags, int numRegions, int numIrqs) {
      this(Request.LENGTH, flags, numRegions, numIrqs);
    }

    @Override
    public int encodedSize() {
      return Request.LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      new Request(argsz, flags, numRegions, numIrqs).encode(out);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Request same = Request.decode(in);
      return new Reply(same.argsz, same.flags, same.numRegions, same.numIrqs);
    }
  }
}
