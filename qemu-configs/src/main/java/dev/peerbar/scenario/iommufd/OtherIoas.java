package dev.peerbar.scenario.iommufd;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.scenario.fixture.HbmPair;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * An IOAS beside that which both functions are attached to: B's channel and some memory have the
 * same addresses in it, so that B works in either. Closed with B back where it was.
 */
final class OtherIoas implements AutoCloseable {
  private static final long PAGE = 4096;

  private final HbmPair pair;
  private final Ioas ioas;
  private final List<Ioas.Mapping> mappings = new ArrayList<>();
  private boolean attached;

  private OtherIoas(HbmPair pair, Ioas ioas) {
    this.pair = pair;
    this.ioas = ioas;
  }

  /**
   * A new one.
   *
   * @param memory that B reaches in it, too
   */
  static OtherIoas of(HbmPair pair, DmaRange... memory) throws IOException {
    OtherIoas other = new OtherIoas(pair, pair.iommufd().allocIoas());
    try {
      other.share(pair.initiator().channel().memory().iova(), PAGE);
      for (DmaRange range : memory) {
        other.share(range.iova(), range.length());
      }
      return other;
    } catch (IOException | RuntimeException e) {
      other.close();
      throw e;
    }
  }

  private void share(long iova, long length) throws IOException {
    mappings.add(ioas.copyAt(pair.ioas(), iova, length));
  }

  Ioas ioas() {
    return ioas;
  }

  /** Takes away what is mapped here, when this is closed at the latest. */
  Ioas.Mapping keep(Ioas.Mapping mapping) {
    mappings.add(mapping);
    return mapping;
  }

  /** Attaches B to it, in the place of what it was attached to. */
  OtherIoas attach() throws IOException {
    b().attach(ioas);
    attached = true;
    return this;
  }

  /** Attaches B to where it was. */
  void back() throws IOException {
    if (attached) {
      attached = false;
      b().attach(pair.ioas());
    }
  }

  private VfioDevice b() {
    return pair.deviceB().vfio();
  }

  @Override
  public void close() throws IOException {
    back();
    for (Ioas.Mapping mapping : mappings) {
      ioas.unmap(mapping);
    }
    mappings.clear();
    ioas.close();
  }
}
