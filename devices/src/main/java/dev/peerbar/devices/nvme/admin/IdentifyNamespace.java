package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.storage.Storage;

/** The Identify Namespace data structure (NVMe 1.4 figure 245) and its identifiers. */
final class IdentifyNamespace {
  // Offsets in bytes.
  private static final int NSZE = 0;
  private static final int NCAP = 8;
  private static final int NUSE = 16;
  private static final int NSFEAT = 24;
  private static final int DLFEAT = 33;
  private static final int NPWG = 64;
  private static final int NPWA = 66;
  private static final int NPDG = 68;
  private static final int NPDA = 70;
  private static final int NOWS = 72;
  private static final int NGUID = 104;
  private static final int EUI64 = 120;
  private static final int LBAF0_LBADS = 130;

  /** NPWG and what follows it are defined. */
  private static final int NSFEAT_OPTIMAL_SIZES = 1 << 4;

  private static final int DLFEAT_READS_ZEROS = 0b001;

  /** Write Zeroes may deallocate. */
  private static final int DLFEAT_WRITE_ZEROES_DEALLOCATES = 1 << 3;

  // Namespace Identification Descriptors (figure 249): type, length, reserved, identifier.
  private static final int DESCRIPTOR_HEADER = 4;
  private static final int TYPE_EUI64 = 1;
  private static final int TYPE_NGUID = 2;
  private static final int TYPE_UUID = 3;

  private IdentifyNamespace() {}

  static byte[] page(NvmeConfig config, Storage storage, Identity identity) {
    long blocks = storage.size() / config.lbaSize();
    // What storage keeps whole, and gives back whole; 0's based numbers of blocks.
    int granularity = Storage.ATOMIC_BLOCK / config.lbaSize() - 1;
    return new Page(Identify.BYTES)
        .put64(NSZE, blocks)
        .put64(NCAP, blocks)
        .put64(NUSE, blocks)
        .put8(NSFEAT, NSFEAT_OPTIMAL_SIZES)
        .put8(
            DLFEAT,
            DLFEAT_WRITE_ZEROES_DEALLOCATES
                | (storage.readsZerosAfterDiscard() ? DLFEAT_READS_ZEROS : 0))
        .put16(NPWG, granularity)
        .put16(NPWA, granularity)
        .put16(NPDG, granularity)
        .put16(NPDA, granularity)
        .put16(NOWS, granularity)
        .put(NGUID, identity.nguid())
        .put(EUI64, identity.eui64())
        .put8(LBAF0_LBADS, config.lbaSizeLog2())
        .bytes();
  }

  static byte[] descriptors(Identity identity) {
    Page page = new Page(Identify.BYTES);
    int at = descriptor(page, 0, TYPE_EUI64, identity.eui64());
    at = descriptor(page, at, TYPE_NGUID, identity.nguid());
    descriptor(page, at, TYPE_UUID, identity.uuid());
    return page.bytes();
  }

  private static int descriptor(Page page, int at, int type, byte[] identifier) {
    page.put8(at, type).put8(at + 1, identifier.length).put(at + DESCRIPTOR_HEADER, identifier);
    return at + DESCRIPTOR_HEADER + identifier.length;
  }
}
