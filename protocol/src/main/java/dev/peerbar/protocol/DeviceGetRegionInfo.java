package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

/** DEVICE_GET_REGION_INFO: how large a region is and how it can be accessed. */
public final class DeviceGetRegionInfo {
  /** The client may read the region. */
  public static final int READ = 1;

  /** The client may write the region. */
  public static final int WRITE = 1 << 1;

  /** The client may map the region, with the file descriptor that comes along. */
  public static final int MMAP = 1 << 2;

  /** The region has capabilities. */
  public static final int CAPS = 1 << 3;

  private DeviceGetRegionInfo() {}

  /**
   * The request.
   *
   * @param argsz the most bytes that the reply may have
   * @param flags zero
   * @param index the region, {@link PciRegion} for a PCI device
   * @param capOffset zero
   * @param size zero
   * @param offset zero
   */
  public record Request(int argsz, int flags, int index, int capOffset, long size, long offset)
      implements Payload {
    static final int ARGSZ = 0;
    static final int FLAGS = 4;
    static final int INDEX = 8;
    static final int CAP_OFFSET = 12;
    static final int SIZE = 16;
    static final int OFFSET = 24;

    /** The length in bytes, and of a reply without capabilities. */
    public static final int LENGTH = 32;

    /** A request with all that may be zero zero. */
    public Request(int argsz, int index) {
      this(argsz, 0, index, 0, 0, 0);
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
      out.writeIntLE(capOffset);
      out.writeLongLE(size);
      out.writeLongLE(offset);
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
          in.getIntLE(start + CAP_OFFSET),
          in.getLongLE(start + SIZE),
          in.getLongLE(start + OFFSET));
    }
  }

  /**
   * The reply.
   *
   * @param argsz how many bytes a full reply has
   * @param flags {@link #READ}, {@link #WRITE}, {@link #MMAP}, {@link #CAPS}
   * @param index the region
   * @param size in bytes
   * @param offset to give to mmap(2)
   * @param capabilities in order; none, whatever the flags say, in a reply cut short
   */
  public record Reply(
      int argsz, int flags, int index, long size, long offset, List<RegionCapability> capabilities)
      implements Payload {

    public Reply {
      capabilities = List.copyOf(capabilities);
    }

    /** A full reply; {@link #CAPS} and the {@code argsz} follow from the capabilities. */
    public static Reply full(
        int flags, int index, long size, long offset, List<RegionCapability> capabilities) {
      int allFlags = capabilities.isEmpty() ? flags : flags | CAPS;
      int argsz = Request.LENGTH;
      for (RegionCapability capability : capabilities) {
        argsz += capability.encodedSize();
      }
      return new Reply(argsz, allFlags, index, size, offset, capabilities);
    }

    /** This reply for a client that has no room for the capabilities: it says how much it needs. */
    public Reply cutShort() {
      return new Reply(argsz, flags, index, size, offset, List.of());
    }

    @Override
    public int encodedSize() {
      int length = Request.LENGTH;
      for (RegionCapability capability : capabilities) {
        length += capability.encodedSize();
      }
      return length;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(flags);
      out.writeIntLE(index);
      // QEMU wants it in a reply cut short too.
      out.writeIntLE((flags & CAPS) == 0 ? 0 : Request.LENGTH);
      out.writeLongLE(size);
      out.writeLongLE(offset);
      int at = Request.LENGTH;
      for (int i = 0; i < capabilities.size(); i++) {
        RegionCapability capability = capabilities.get(i);
        at += capability.encodedSize();
        capability.encode(out, i + 1 < capabilities.size() ? at : 0);
      }
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short, or if the chain of capabilities leaves it
     *     or turns back
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, Request.LENGTH);
      int start = in.readerIndex();
      int flags = in.getIntLE(start + Request.FLAGS);
      boolean cutShort = in.readableBytes() == Request.LENGTH;
      int first = (flags & CAPS) == 0 || cutShort ? 0 : in.getIntLE(start + Request.CAP_OFFSET);
      return new Reply(
          in.getIntLE(start + Request.ARGSZ),
          flags,
          in.getIntLE(start + Request.INDEX),
          in.getLongLE(start + Request.SIZE),
          in.getLongLE(start + Request.OFFSET),
          decodeCapabilities(in, first));
    }

    private static List<RegionCapability> decodeCapabilities(ByteBuf in, int first)
        throws InvalidMessageException {
      List<RegionCapability> capabilities = new ArrayList<>();
      int length = in.readableBytes();
      int at = first;
      int least = Request.LENGTH;
      while (at != 0) {
        if (at < least || at > length - RegionCapability.HEADER_LENGTH) {
          throw new InvalidMessageException("capability at " + at + " of " + length + " bytes");
        }
        int next = in.getIntLE(in.readerIndex() + at + RegionCapability.NEXT);
        int end = next == 0 ? length : next;
        if (end < at + RegionCapability.HEADER_LENGTH || end > length) {
          throw new InvalidMessageException("capability at " + at + " is followed by " + next);
        }
        capabilities.add(RegionCapability.decode(in.slice(in.readerIndex() + at, end - at)));
        least = end;
        at = next;
      }
      return capabilities;
    }
  }
}
