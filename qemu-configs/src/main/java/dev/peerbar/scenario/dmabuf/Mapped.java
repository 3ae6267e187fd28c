package dev.peerbar.scenario.dmabuf;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.BothEnds;
import dev.peerbar.scenario.fixture.HbmPair;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Part of A's memory as a DMABUF that the guest has mapped, all of it.
 *
 * @param offset of its first byte from the start of A's memory
 */
record Mapped(HbmPair pair, DmaBuf dmaBuf, GuestMemory memory, long offset)
    implements AutoCloseable {
  static final long PAGE = 4096;

  /** Of most DMABUFs here: some pages that one entry of a page table never holds at once. */
  static final long LENGTH = 64 * PAGE;

  /** Of most DMABUFs here: neither the start of A's memory nor aligned to more than a page. */
  static final long OFFSET = (3L << 20) + 5 * PAGE;

  static Mapped of(HbmPair pair) throws IOException {
    return of(pair, OFFSET, LENGTH);
  }

  static Mapped of(HbmPair pair, long offset, long length) throws IOException {
    DmaBuf dmaBuf = export(pair, offset, length);
    try {
      return new Mapped(pair, dmaBuf, dmaBuf.map(), offset);
    } catch (IOException | RuntimeException e) {
      dmaBuf.close();
      throw e;
    }
  }

  static DmaBuf export(HbmPair pair, long offset, long length) throws IOException {
    return pair.deviceA().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, offset, length);
  }

  /** What the host has there. */
  MemorySegment host() {
    return pair.memoryOfA().asSlice(offset, memory.length());
  }

  /** The guest must load all that the host has put there. */
  void checkLoads(long seed) throws IOException, UnexpectedException {
    BothEnds.checkLoads(memory, host(), seed);
  }

  /** The host must see all that the guest stores there. */
  void checkStores(long seed) throws IOException, UnexpectedException {
    BothEnds.checkStores(memory, host(), seed);
  }

  /** Every load and store, at both ends, must be SIGBUS. */
  void expectSigbus(String when) throws IOException, UnexpectedException {
    BothEnds.expectSigbus(memory, when);
  }

  /** The word of A's memory at an offset of the DMABUF. */
  long word(long at) {
    return host().get(ValueLayout.JAVA_LONG, at);
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
