package dev.peerbar.server.function;

import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * A register BAR that has the MSI-X structures in it: those are served here, all else by what
 * serves registers. An access across a border is one on each side of it.
 *
 * @param layout where the structures are
 * @param registers the whole BAR, as if there were none
 */
record MsixAmongRegisters(PciFunction.MsixLayout layout, MsixTable table, RegisterRegion registers)
    implements Region {

  @Override
  public long size() {
    return registers.size();
  }

  @Override
  public void read(long offset, ByteBuffer into) {
    if (layout.touches(offset, into.remaining())) {
      inParts(offset, into, false);
    } else {
      registers.read(offset, into);
    }
  }

  @Override
  public void write(long offset, ByteBuffer from) {
    if (layout.touches(offset, from.remaining())) {
      inParts(offset, from, true);
    } else {
      registers.write(offset, from);
    }
  }

  private void inParts(long offset, ByteBuffer buffer, boolean write) {
    int limit = buffer.limit();
    long at = offset;
    while (buffer.position() < limit) {
      boolean structures = layout.touches(at, 1);
      int count = 1;
      while (count < limit - buffer.position() && layout.touches(at + count, 1) == structures) {
        count++;
      }
      buffer.limit(buffer.position() + count);
      if (structures) {
        access(at, buffer, write);
      } else if (write) {
        registers.write(at, buffer);
      } else {
        registers.read(at, buffer);
      }
      buffer.limit(limit);
      at += count;
    }
  }

  private void access(long at, ByteBuffer structures, boolean write) {
    if (write) {
      table.write(at, structures);
    } else {
      table.read(at, structures);
    }
  }

  @Override
  public Optional<Sharing> sharing() {
    return registers.sharing();
  }
}
