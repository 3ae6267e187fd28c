package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;

/**
 * {@code struct vfio_irq_info}.
 *
 * @param flags {@code VFIO_IRQ_INFO_*}
 * @param index which kind of interrupt
 * @param count vectors of that kind
 */
public record VfioIrqInfo(int flags, int index, int count) {
  public static final int SIZE = 16;

  /** The argument that asks. */
  public static byte[] request(VfioPciIrq irq) {
    return Structs.allocate(SIZE).putInt(0, SIZE).putInt(8, irq.index()).array();
  }

  public static VfioIrqInfo decode(byte[] bytes) {
    ByteBuffer b = Structs.wrap(bytes);
    return new VfioIrqInfo(b.getInt(4), b.getInt(8), b.getInt(12));
  }
}
