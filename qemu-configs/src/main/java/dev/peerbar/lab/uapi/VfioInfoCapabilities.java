package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * What vfio puts behind an answer: a chain of {@code struct vfio_info_cap_header}, each u16 id, u16
 * version, u32 offset of the next one from the start of the answer, or 0.
 */
final class VfioInfoCapabilities {
  private static final int NEXT = 4;

  private VfioInfoCapabilities() {}

  /**
   * Where the capabilities of a kind are, in bytes from the start of the answer.
   *
   * @param answer with all of its capabilities
   * @param first where it has the offset of the first one
   */
  static List<Integer> find(ByteBuffer answer, int first, int id) {
    List<Integer> found = new ArrayList<>();
    for (int at = answer.getInt(first); at != 0; at = answer.getInt(at + NEXT)) {
      if (answer.getShort(at) == id) {
        found.add(at);
      }
    }
    return found;
  }
}
