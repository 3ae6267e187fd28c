package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

/** Something more to know of a region (vfio-user, Region capabilities; linux/vfio.h). */
public sealed interface RegionCapability {
  /** The length of what every capability begins with, in bytes. */
  int HEADER_LENGTH = 8;

  int ID = 0;
  int VERSION = 2;
  int NEXT = 4;

  /** Capabilities begin at multiples of this. */
  int ALIGNMENT = 8;

  /** The length in bytes with the header. */
  int encodedSize();

  /**
   * Appends the capability.
   *
   * @param next where the next one begins, from the beginning of the payload, or zero
   */
  void encode(ByteBuf out, int next);

  private static void encodeHeader(ByteBuf out, int id, int version, int next) {
    out.writeShortLE(id);
    out.writeShortLE(version);
    out.writeIntLE(next);
  }

  /** Reads one that reaches to the end of the buffer, which has a header at least. */
  static RegionCapability decode(ByteBuf in) throws InvalidMessageException {
    int id = in.getUnsignedShortLE(in.readerIndex() + ID);
    if (id == SparseMmap.CAPABILITY_ID) {
      return SparseMmap.decodeBody(in);
    }
    int version = in.getUnsignedShortLE(in.readerIndex() + VERSION);
    return new Other(id, version, Fields.tail(in, HEADER_LENGTH));
  }

  /**
   * The only parts of the region that can be mapped (VFIO_REGION_INFO_CAP_SPARSE_MMAP).
   *
   * @param areas none: nothing can be mapped
   */
  record SparseMmap(List<Area> areas) implements RegionCapability {
    static final int CAPABILITY_ID = 1;
    static final int CAPABILITY_VERSION = 1;
    static final int NR_AREAS = HEADER_LENGTH;
    static final int AREAS = NR_AREAS + 8;
    static final int AREA_OFFSET = 0;
    static final int AREA_SIZE = 8;
    static final int AREA_LENGTH = 16;

    public SparseMmap {
      areas = List.copyOf(areas);
    }

    /**
     * A part of the region.
     *
     * @param offset from the beginning of the region, in bytes
     * @param size in bytes
     */
    public record Area(long offset, long size) {}

    @Override
    public int encodedSize() {
      return AREAS + areas.size() * AREA_LENGTH;
    }

    @Override
    public void encode(ByteBuf out, int next) {
      encodeHeader(out, CAPABILITY_ID, CAPABILITY_VERSION, next);
      out.writeIntLE(areas.size());
      out.writeIntLE(0);
      for (Area area : areas) {
        out.writeLongLE(area.offset());
        out.writeLongLE(area.size());
      }
    }

    private static SparseMmap decodeBody(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, AREAS);
      long count = in.getUnsignedIntLE(in.readerIndex() + NR_AREAS);
      if (count * AREA_LENGTH > in.readableBytes() - AREAS) {
        throw new InvalidMessageException(count + " areas in " + in.readableBytes() + " bytes");
      }
      List<Area> areas = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        int at = in.readerIndex() + AREAS + i * AREA_LENGTH;
        areas.add(new Area(in.getLongLE(at + AREA_OFFSET), in.getLongLE(at + AREA_SIZE)));
      }
      return new SparseMmap(areas);
    }
  }

  /**
   * One that this program does not know.
   *
   * @param id its number, 16 bits unsigned
   * @param version of its layout, 16 bits unsigned
   * @param body what follows its header, a multiple of 8 bytes; decoded, lives as long as the
   *     payload
   */
  record Other(int id, int version, ByteBuf body) implements RegionCapability {
    @Override
    public int encodedSize() {
      return HEADER_LENGTH + (body.readableBytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    @Override
    public void encode(ByteBuf out, int next) {
      encodeHeader(out, id, version, next);
      Fields.append(out, body);
      out.writeZero(encodedSize() - HEADER_LENGTH - body.readableBytes());
    }
  }
}
