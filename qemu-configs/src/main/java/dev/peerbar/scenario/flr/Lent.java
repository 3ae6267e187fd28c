package dev.peerbar.scenario.flr;

import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;

/**
 * A's memory as one DMABUF that B has mapped, and can map again after it was revoked and restored.
 */
final class Lent implements AutoCloseable {
  private final HbmPair pair;
  private final DmaBuf dmaBuf;
  private Ioas.Mapping mapping;

  private Lent(HbmPair pair, DmaBuf dmaBuf) throws IOException {
    this.pair = pair;
    this.dmaBuf = dmaBuf;
    mapping = pair.ioas().mapFile(dmaBuf);
  }

  /** So much of A's memory, from its first byte. */
  static Lent of(HbmPair pair, long length) throws IOException {
    return of(pair, 0, length);
  }

  /** The same from another byte on. */
  static Lent of(HbmPair pair, long offset, long length) throws IOException {
    DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, offset, length);
    try {
      return new Lent(pair, dmaBuf);
    } catch (IOException | RuntimeException e) {
      dmaBuf.close();
      throw e;
    }
  }

  /** Whether it is mapped, dead or alive. */
  boolean isMapped() {
    return mapping != null;
  }

  /** Where B sees its first byte. */
  long iova() {
    return mapping.iova();
  }

  long length() {
    return mapping.length();
  }

  /** B's next write and next read fault at the first byte. */
  void expectCutOff(DmaRange memory, long length) throws Exception {
    pair.initiator()
        .expectFault(
            Initiator.copying(memory.iova(), iova(), length), ErrorCode.WRITE_FAULT, iova());
    pair.initiator()
        .expectFault(
            Initiator.copying(iova(), memory.iova(), length), ErrorCode.READ_FAULT, iova());
    pair.initiator().restart();
  }

  /** While it is revoked it cannot be mapped once more. */
  void expectRefused() throws Exception {
    Refusals.refused(Errno.ENODEV, "mapping a revoked DMABUF", () -> pair.ioas().mapFile(dmaBuf));
  }

  /** Takes the mapping away, dead or alive. */
  void unmap() throws IOException {
    Ioas.Mapping old = mapping;
    mapping = null;
    pair.ioas().unmap(old);
  }

  /** Maps it, which is not mapped. */
  void map() throws IOException {
    mapping = pair.ioas().mapFile(dmaBuf);
  }

  /** Takes the mapping away, dead or alive, and maps the same DMABUF once more. */
  void mapAgain() throws IOException {
    unmap();
    map();
  }

  @Override
  public void close() throws IOException {
    try {
      if (mapping != null) {
        pair.ioas().unmap(mapping);
      }
    } finally {
      dmaBuf.close();
    }
  }
}
