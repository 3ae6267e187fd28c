package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

/** Which memory of the client the device wrote (VFIO_DEVICE_FEATURE_DMA_LOGGING_*). */
public final class DmaLogging {
  private DmaLogging() {}

  /**
   * Memory to watch.
   *
   * @param iova the first address
   * @param length in bytes
   */
  public record Range(long iova, long length) {
    static final int IOVA = 0;
    static final int RANGE_LENGTH = 8;
    static final int SIZE = 16;
  }

  /**
   * The data of DMA_LOGGING_START, in request and reply.
   *
   * @param pageSize how fine to log, in bytes; in the reply, how fine it is
   * @param ranges what to watch; none for all
   */
  public record Control(long pageSize, List<Range> ranges) implements Payload {
    static final int PAGE_SIZE = 0;
    static final int NUM_RANGES = 8;
    static final int RANGES = 16;

    public Control {
      ranges = List.copyOf(ranges);
    }

    @Override
    public int encodedSize() {
      return RANGES + ranges.size() * Range.SIZE;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeLongLE(pageSize);
      out.writeIntLE(ranges.size());
      out.writeIntLE(0);
      for (Range range : ranges) {
        out.writeLongLE(range.iova());
        out.writeLongLE(range.length());
      }
    }

    /**
     * Reads the data of the feature.
     *
     * @throws InvalidMessageException if there are not as many ranges as announced
     */
    public static Control decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, RANGES);
      int start = in.readerIndex();
      long count = in.getUnsignedIntLE(start + NUM_RANGES);
      Fields.tail(in, RANGES, count * Range.SIZE);
      List<Range> ranges = new ArrayList<>((int) count);
      for (int i = 0; i < count; i++) {
        int at = start + RANGES + i * Range.SIZE;
        ranges.add(new Range(in.getLongLE(at + Range.IOVA), in.getLongLE(at + Range.RANGE_LENGTH)));
      }
      return new Control(in.getLongLE(start + PAGE_SIZE), ranges);
    }
  }

  /**
   * The data of a DMA_LOGGING_REPORT request.
   *
   * @param iova the first address
   * @param length in bytes
   * @param pageSize what one bit stands for, in bytes
   */
  public record ReportRequest(long iova, long length, long pageSize) implements Payload {
    @Override
    public int encodedSize() {
      return Report.BITMAP;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeLongLE(iova);
      out.writeLongLE(length);
      out.writeLongLE(pageSize);
    }

    /**
     * Reads the data of the feature.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static ReportRequest decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, Report.BITMAP);
      int start = in.readerIndex();
      return new ReportRequest(
          in.getLongLE(start + Report.IOVA),
          in.getLongLE(start + Report.RANGE_LENGTH),
          in.getLongLE(start + Report.PAGE_SIZE));
    }
  }

  /**
   * The data of a DMA_LOGGING_REPORT reply.
   *
   * @param iova the first address
   * @param length in bytes
   * @param pageSize what one bit stands for, in bytes
   * @param bitmap words of 64 bits, the lowest for the lowest addresses; decoded, lives as long as
   *     the payload
   */
  public record Report(long iova, long length, long pageSize, ByteBuf bitmap) implements Payload {
    static final int IOVA = 0;
    static final int RANGE_LENGTH = 8;
    static final int PAGE_SIZE = 16;

    /** Where the bitmap begins; the length of the request, in bytes. */
    public static final int BITMAP = 24;

    @Override
    public int encodedSize() {
      return BITMAP + bitmap.readableBytes();
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeLongLE(iova);
      out.writeLongLE(length);
      out.writeLongLE(pageSize);
      Fields.append(out, bitmap);
    }

    /**
     * Reads the data of the feature.
     *
     * @throws InvalidMessageException if it is too short, or the bitmap is not of whole words
     */
    public static Report decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, BITMAP);
      int start = in.readerIndex();
      ByteBuf bitmap = Fields.tail(in, BITMAP);
      if (bitmap.readableBytes() % Long.BYTES != 0) {
        throw new InvalidMessageException("bitmap of " + bitmap.readableBytes() + " bytes");
      }
      return new Report(
          in.getLongLE(start + IOVA),
          in.getLongLE(start + RANGE_LENGTH),
          in.getLongLE(start + PAGE_SIZE),
          bitmap);
    }
  }
}
