package dev.peerbar.server.function;

import dev.peerbar.pci.PciFunction;
import java.nio.ByteBuffer;

/** Config space. */
record ConfigRegion(PciFunction function, PciFunction.Events events) implements Region {

  @Override
  public long size() {
    return PciFunction.CONFIG_SPACE_SIZE;
  }

  @Override
  public void read(long offset, ByteBuffer into) {
    function.readConfig((int) offset, into);
  }

  @Override
  public void write(long offset, ByteBuffer from) {
    function.writeConfig((int) offset, from, events);
  }
}
