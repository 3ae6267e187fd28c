package dev.peerbar.server.function;

import dev.peerbar.pci.MsixTable;
import java.nio.ByteBuffer;

/** The BAR of the MSI-X structures. */
record MsixRegion(long size, MsixTable table) implements Region {

  @Override
  public void read(long offset, ByteBuffer into) {
    table.read(offset, into);
  }

  @Override
  public void write(long offset, ByteBuffer from) {
    table.write(offset, from);
  }
}
