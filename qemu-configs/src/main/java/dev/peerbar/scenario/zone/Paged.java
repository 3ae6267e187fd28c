package dev.peerbar.scenario.zone;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.BlockDevice;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.BothEnds;
import dev.peerbar.scenario.fixture.nvme.HbmAndDisk;
import dev.peerbar.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Part of A's memory as a DMABUF with struct pages that the guest has mapped, all of it.
 *
 * @param offset of its first byte from the start of A's memory
 */
record Paged(HbmAndDisk pair, DmaBuf dmaBuf, GuestMemory memory, long offset)
    implements AutoCloseable {
  static final int O_CLOEXEC_RDWR = 02000002;
  static final long PAGE = 4096;

  /** What the kernel gives struct pages to at once on x86. */
  static final long UNIT = 2L << 20;

  /** Of most DMABUFs here. */
  static final long LENGTH = 2 * UNIT;

  /** Of most DMABUFs here. */
  static final long OFFSET = 3 * UNIT;

  static Paged of(HbmAndDisk pair) throws IOException {
    return of(pair, pair.device());
  }

  static Paged of(HbmAndDisk pair, GuestDevice device) throws IOException {
    DmaBuf dmaBuf = export(device);
    try {
      return new Paged(pair, dmaBuf, dmaBuf.map(), OFFSET);
    } catch (IOException | RuntimeException e) {
      dmaBuf.close();
      throw e;
    }
  }

  static DmaBuf export(GuestDevice device) throws IOException {
    return ZoneFeature.export(device.vfio(), List.of(new VfioRegionDmaRange(OFFSET, LENGTH)));
  }

  /** What the host has there. */
  MemorySegment host() {
    return pair.memoryOfA().asSlice(offset, memory.length());
  }

  /** The guest must load what the host has put there, and the other way round. */
  void checkBothWays(long seed) throws IOException, UnexpectedException {
    checkBothWays(memory, host(), seed);
  }

  static void checkBothWays(GuestMemory memory, MemorySegment host, long seed)
      throws IOException, UnexpectedException {
    BothEnds.checkLoads(memory, host, seed);
    BothEnds.checkStores(memory, host, ~seed);
  }

  /** Every load and store, at both ends, must be SIGBUS. */
  void expectSigbus(String when) throws IOException, UnexpectedException {
    BothEnds.expectSigbus(memory, when);
  }

  /** Writes from it to the disk, and reads back into it: each byte must arrive on either side. */
  void checkTransfers(long seed) throws IOException, StorageException, UnexpectedException {
    try (BlockDevice disk = pair.drive().open()) {
      checkTransfer(disk, new Transfer(0, 0, LENGTH), seed);
    }
  }

  /**
   * What is moved between the mapping and the disk.
   *
   * @param at from the start of the mapping, like the others in bytes and of whole blocks
   * @param position on the disk
   */
  record Transfer(long at, long position, long length) {}

  /** The same for a part. */
  void checkTransfer(BlockDevice disk, Transfer what, long seed)
      throws IOException, StorageException, UnexpectedException {
    MemorySegment host = host().asSlice(what.at, what.length);
    Pattern.fill(host, seed);
    pair.disk().clear(what.position, what.length);
    disk.write(what.position, memory, what.at, what.length);
    pair.disk().check(what.position, what.length, seed);

    pair.disk().fill(what.position, what.length, ~seed);
    disk.read(what.position, memory, what.at, what.length);
    long mismatch = Pattern.mismatch(host, ~seed);
    unless(mismatch == what.length, "A's memory has not what was read, at 0x%x", mismatch);
    var seen = memory.verifyPattern(what.at, what.length, ~seed);
    unless(seen.isEmpty(), "the guest loads other bytes than were read: %s", seen);
  }

  @Override
  public void close() throws IOException {
    try {
      memory.close();
    } finally {
      dmaBuf.close();
    }
  }
}
