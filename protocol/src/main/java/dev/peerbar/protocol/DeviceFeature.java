package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;
import java.util.Optional;

/** DEVICE_FEATURE: something optional of the device, to probe, get or set. */
public final class DeviceFeature {
  /** Which bits of the flags tell the feature. */
  public static final int INDEX_MASK = 0xFFFF;

  public static final int GET = 1 << 16;
  public static final int SET = 1 << 17;
  public static final int PROBE = 1 << 18;

  static final int ARGSZ = 0;
  static final int FLAGS = 4;

  /** Where the data begins. */
  public static final int DATA = 8;

  private DeviceFeature() {}

  /** The features that the specification has, and what their data are. */
  public enum Feature {
    /** To get: {@link MigrationFeature}. */
    MIGRATION(1),
    /** To get and set: {@link MigrationState}. */
    MIG_DEVICE_STATE(2),
    /** To set: {@link DmaLogging.Control}. */
    DMA_LOGGING_START(6),
    /** To set: nothing. */
    DMA_LOGGING_STOP(7),
    /** To get: {@link DmaLogging.ReportRequest}, {@link DmaLogging.Report}. */
    DMA_LOGGING_REPORT(8);

    private final int index;

    Feature(int index) {
      this.index = index;
    }

    /** The number in the flags. */
    public int index() {
      return index;
    }

    /** The feature of a number, or empty if the specification has none. */
    public static Optional<Feature> of(int index) {
      for (Feature feature : values()) {
        if (feature.index == index) {
          return Optional.of(feature);
        }
      }
      return Optional.empty();
    }
  }

  /**
   * The request.
   *
   * @param argsz the most bytes that the reply may have
   * @param flags the feature's number, and {@link #GET}, {@link #SET}, {@link #PROBE}; not judged
   *     here
   * @param data as the feature has it; decoded, lives as long as the payload
   */
  public record Request(int argsz, int flags, ByteBuf data) implements Payload {

    /** The feature, or empty if the specification does not have the number. */
    public Optional<Feature> feature() {
      return Feature.of(flags & INDEX_MASK);
    }

    @Override
    public int encodedSize() {
      return DATA + data.readableBytes();
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(flags);
      Fields.append(out, data);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      int start = in.readerIndex();
      return new Request(
          in.getIntLE(start + ARGSZ), in.getIntLE(start + FLAGS), Fields.tail(in, DATA));
    }
  }

  /**
   * The reply.
   *
   * @param argsz the length of this structure with the data
   * @param flags those of the request
   * @param data as the feature has it; decoded, lives as long as the payload
   */
  public record Reply(int argsz, int flags, ByteBuf data) implements Payload {

    /** A reply with the right {@code argsz}. */
    public Reply(int flags, ByteBuf data) {
      this(DATA + data.readableBytes(), flags, data);
    }

    /**
     * Appends what comes before the data, for a server that has the data in a buffer of their own.
     *
     * @param length of the data, in bytes
     */
    public static void encodeFixed(ByteBuf out, int flags, int length) {
      out.writeIntLE(DATA + length);
      out.writeIntLE(flags);
    }

    @Override
    public int encodedSize() {
      return DATA + data.readableBytes();
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(flags);
      Fields.append(out, data);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Request same = Request.decode(in);
      return new Reply(same.argsz, same.flags, same.data);
    }
  }
}
