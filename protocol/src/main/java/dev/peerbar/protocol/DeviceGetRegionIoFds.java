package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

/**
 * DEVICE_GET_REGION_IO_FDS: file descriptors by which the kernel can tell the server of accesses to
 * parts of a region.
 */
public final class DeviceGetRegionIoFds {
  static final int ARGSZ = 0;
  static final int FLAGS = 4;
  static final int INDEX = 8;
  static final int COUNT = 12;

  /** The length of the request, and of a reply without sub-regions, in bytes. */
  public static final int FIXED_LENGTH = 16;

  private DeviceGetRegionIoFds() {}

  /**
   * The request.
   *
   * @param argsz the most bytes that the reply may have
   * @param flags zero
   * @param index the region
   * @param count zero
   */
  public record Request(int argsz, int flags, int index, int count) implements Payload {
    @Override
    public int encodedSize() {
      return FIXED_LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      encodeFixed(out, argsz, flags, index, count);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, FIXED_LENGTH);
      int start = in.readerIndex();
      return new Request(
          in.getIntLE(start + ARGSZ),
          in.getIntLE(start + FLAGS),
          in.getIntLE(start + INDEX),
          in.getIntLE(start + COUNT));
    }
  }

  /**
   * The reply. The descriptors come along.
   *
   * @param argsz how many bytes a full reply has
   * @param flags zero
   * @param index the region
   * @param count how many sub-regions a full reply has
   * @param subRegions all of them, or none in a reply cut short
   */
  public record Reply(int argsz, int flags, int index, int count, List<SubRegion> subRegions)
      implements Payload {

    public Reply {
      subRegions = List.copyOf(subRegions);
      if (!subRegions.isEmpty() && subRegions.size() != count) {
        throw new IllegalArgumentException(subRegions.size() + " of " + count + " sub-regions");
      }
    }

    /** A full reply. */
    public static Reply full(int index, List<SubRegion> subRegions) {
      int argsz = FIXED_LENGTH + subRegions.size() * SubRegion.LENGTH;
      return new Reply(argsz, 0, index, subRegions.size(), subRegions);
    }

    /** This reply for a client that has no room for the sub-regions: it says how much it needs. */
    public Reply cutShort() {
      return new Reply(argsz, flags, index, count, List.of());
    }

    @Override
    public int encodedSize() {
      return FIXED_LENGTH + subRegions.size() * SubRegion.LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      encodeFixed(out, argsz, flags, index, count);
      for (SubRegion subRegion : subRegions) {
        subRegion.encode(out);
      }
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if the sub-regions are not as many as announced, or of an
     *     unknown type
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, FIXED_LENGTH);
      int start = in.readerIndex();
      int count = in.getIntLE(start + COUNT);
      return new Reply(
          in.getIntLE(start + ARGSZ),
          in.getIntLE(start + FLAGS),
          in.getIntLE(start + INDEX),
          count,
          decodeSubRegions(in, count));
    }

    private static List<SubRegion> decodeSubRegions(ByteBuf in, int count)
        throws InvalidMessageException {
      List<SubRegion> subRegions = new ArrayList<>();
      int tail = in.readableBytes() - FIXED_LENGTH;
      if (tail == 0) {
        return subRegions;
      }
      // How long an entry is follows from how many there are: later versions may have longer ones.
      if (count <= 0 || tail % count != 0 || tail / count < SubRegion.LENGTH) {
        throw new InvalidMessageException(
            Integer.toUnsignedString(count) + " sub-regions in " + tail + " bytes");
      }
      int length = tail / count;
      for (int i = 0; i < count; i++) {
        subRegions.add(SubRegion.decode(in, in.readerIndex() + FIXED_LENGTH + i * length));
      }
      return subRegions;
    }
  }

  private static void encodeFixed(ByteBuf out, int argsz, int flags, int index, int count) {
    out.writeIntLE(argsz);
    out.writeIntLE(flags);
    out.writeIntLE(index);
    out.writeIntLE(count);
  }

  /** A part of the region, and how accesses to it are told. */
  public sealed interface SubRegion {
    int OFFSET = 0;
    int SIZE = 8;
    int FD_INDEX = 16;
    int TYPE = 20;
    int FLAGS = 24;
    int MATCH_OR_USER_DATA = 32;

    /** In bytes. */
    int LENGTH = 40;

    /** From the beginning of the region, in bytes. */
    long offset();

    /** In bytes; zero for any access width. */
    long size();

    /** Which of the descriptors that come along. */
    int fdIndex();

    /** As KVM defines them for the type. */
    int flags();

    private static void encode(ByteBuf out, SubRegion subRegion, int type, long last) {
      out.writeLongLE(subRegion.offset());
      out.writeLongLE(subRegion.size());
      out.writeIntLE(subRegion.fdIndex());
      out.writeIntLE(type);
      out.writeIntLE(subRegion.flags());
      out.writeIntLE(0);
      out.writeLongLE(last);
    }

    /** Appends the sub-region. */
    default void encode(ByteBuf out) {
      switch (this) {
        case IoEventFd event -> encode(out, event, IoEventFd.TYPE_CODE, event.datamatch());
        case IoRegionFd region -> encode(out, region, IoRegionFd.TYPE_CODE, region.userData());
      }
    }

    private static SubRegion decode(ByteBuf in, int at) throws InvalidMessageException {
      long offset = in.getLongLE(at + OFFSET);
      long size = in.getLongLE(at + SIZE);
      int fdIndex = in.getIntLE(at + FD_INDEX);
      int type = in.getIntLE(at + TYPE);
      int flags = in.getIntLE(at + FLAGS);
      long last = in.getLongLE(at + MATCH_OR_USER_DATA);
      return switch (type) {
        case IoEventFd.TYPE_CODE -> new IoEventFd(offset, size, fdIndex, flags, last);
        case IoRegionFd.TYPE_CODE -> new IoRegionFd(offset, size, fdIndex, flags, last);
        default -> throw new InvalidMessageException("sub-region of type " + type);
      };
    }
  }

  /**
   * Writes raise an event descriptor (KVM_IOEVENTFD).
   *
   * @param datamatch the only value that does, if {@link #DATAMATCH} is among the flags
   */
  public record IoEventFd(long offset, long size, int fdIndex, int flags, long datamatch)
      implements SubRegion {
    static final int TYPE_CODE = 0;

    /** Only writes of one value count (KVM_IOEVENTFD_FLAG_DATAMATCH). */
    public static final int DATAMATCH = 1;

    /** The region is of ports (KVM_IOEVENTFD_FLAG_PIO). */
    public static final int PIO = 1 << 1;
  }

  /**
   * Accesses become messages on a descriptor (ioregionfd).
   *
   * @param userData is in each message
   */
  public record IoRegionFd(long offset, long size, int fdIndex, int flags, long userData)
      implements SubRegion {
    static final int TYPE_CODE = 1;

    /** The region is of ports (KVM_IOREGION_PIO). */
    public static final int PIO = 1;

    /** Writes do not wait for the server (KVM_IOREGION_POSTED_WRITES). */
    public static final int POSTED_WRITES = 1 << 1;
  }
}
