package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code struct vfio_pci_hot_reset_info}.
 *
 * @param flags {@link #DEV_ID} and {@link #DEV_ID_OWNED}, or none for a function of a group
 * @param dependents all that is reset, the function itself included
 */
public record VfioPciHotResetInfo(int flags, List<Dependent> dependents) {
  /** The dependents have identifiers of the iommufd. */
  public static final int DEV_ID = 1;

  /** All of them belong to the iommufd that the function is bound to. */
  public static final int DEV_ID_OWNED = 1 << 1;

  private static final int HEADER = 12;

  /**
   * {@code struct vfio_pci_dependent_device}.
   *
   * @param id of the group or of the iommufd's object
   * @param address such as {@code 0000:03:00.0}
   */
  public record Dependent(int id, String address) {
    static final int SIZE = 12;
  }

  public VfioPciHotResetInfo {
    dependents = List.copyOf(dependents);
  }

  /**
   * The argument that asks.
   *
   * @param most dependents that there is room for; the kernel answers ENOSPC if there are more
   */
  public static byte[] request(int most) {
    int size = HEADER + most * Dependent.SIZE;
    return Structs.allocate(size).putInt(0, size).array();
  }

  public static VfioPciHotResetInfo decode(byte[] bytes) {
    ByteBuffer b = Structs.wrap(bytes);
    List<Dependent> dependents = new ArrayList<>();
    for (int i = 0; i < b.getInt(8); i++) {
      int at = HEADER + i * Dependent.SIZE;
      int devfn = Byte.toUnsignedInt(b.get(at + 7));
      dependents.add(
          new Dependent(
              b.getInt(at),
              "%04x:%02x:%02x.%d"
                  .formatted(b.getShort(at + 4), b.get(at + 6), devfn >> 3, devfn & 7)));
    }
    return new VfioPciHotResetInfo(b.getInt(4), dependents);
  }
}
