package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * {@code struct vfio_pci_hot_reset}.
 *
 * @param groups descriptors of the groups that own all functions which are reset; none for a
 *     function that is open through its character device
 */
public record VfioPciHotReset(List<Integer> groups) {
  private static final int HEADER = 12;

  public VfioPciHotReset {
    groups = List.copyOf(groups);
  }

  public byte[] encode() {
    int size = HEADER + Integer.BYTES * groups.size();
    ByteBuffer b = Structs.allocate(size).putInt(size).putInt(0).putInt(groups.size());
    groups.forEach(b::putInt);
    return b.array();
  }
}
