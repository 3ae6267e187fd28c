package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestFaultException.Signal;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.Faults;
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
    checkLoads(memory, host(), seed);
  }

  /** The host must see all that the guest stores there. */
  void checkStores(long seed) throws IOException, UnexpectedException {
    checkStores(memory, host(), seed);
  }

  /** Every load and store, at both ends, must be SIGBUS. */
  void expectSigbus(String when) throws IOException, UnexpectedException {
    expectSigbus(memory, when);
  }

  static void checkLoads(GuestMemory memory, MemorySegment host, long seed)
      throws IOException, UnexpectedException {
    Pattern.fill(host, seed);
    var seen = memory.verifyPattern(0, memory.length(), seed);
    unless(seen.isEmpty(), "the guest loads other bytes than the host stored: %s", seen);
  }

  static void checkStores(GuestMemory memory, MemorySegment host, long seed)
      throws IOException, UnexpectedException {
    memory.fillPattern(0, memory.length(), seed);
    long mismatch = Pattern.mismatch(host, seed);
    unless(
        mismatch == memory.length(),
        "the host sees other bytes at 0x%x than the guest stored",
        mismatch);
  }

  static void expectSigbus(GuestMemory memory, String when)
      throws IOException, UnexpectedException {
    for (long at : new long[] {0, memory.length() - Long.BYTES}) {
      long address = memory.address() + at;
      Faults.expect(Signal.SIGBUS, address, "a load " + when, () -> memory.loadLong(at));
      Faults.expect(Signal.SIGBUS, address, "a store " + when, () -> memory.storeLong(at, -1));
    }
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

  /** Time in which a function's BARs answer to nothing, until it is closed. */
  interface Deafness extends AutoCloseable {
    @Override
    void close() throws IOException;
  }

  /** Clears A's Memory Space Enable. */
  static Deafness deafen(HbmPair pair) throws IOException {
    return deafen(pair.deviceA());
  }

  /** Clears a function's Memory Space Enable. */
  static Deafness deafen(GuestDevice device) throws IOException {
    long command = device.readConfig(Header.COMMAND, AccessWidth.WORD);
    device.writeConfig(Header.COMMAND, AccessWidth.WORD, command & ~Header.COMMAND_MEMORY_SPACE);
    return () -> device.writeConfig(Header.COMMAND, AccessWidth.WORD, command);
  }
}
