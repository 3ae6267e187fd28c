package dev.peerbar.lab.uapi;

/**
 * The requests of {@code linux/dma-buf.h} that a DMABUF's file descriptor takes, and those that
 * make one of the kernel's own memory.
 */
public final class DmaBufIoctls {
  private static final char BASE = 'b';

  public static final Ioctl DMA_BUF_IOCTL_SYNC =
      Ioctl.iow("DMA_BUF_IOCTL_SYNC", BASE, 0, Long.BYTES);

  /** Takes a pointer to a name of at most 31 characters and its NUL. */
  public static final Ioctl DMA_BUF_SET_NAME = Ioctl.iow("DMA_BUF_SET_NAME", BASE, 1, Long.BYTES);

  /** Of {@code linux/dma-heap.h}: makes a DMABUF of new memory. */
  public static final Ioctl DMA_HEAP_IOCTL_ALLOC =
      Ioctl.iowr("DMA_HEAP_IOCTL_ALLOC", 'H', 0, DmaHeapAllocationData.SIZE);

  /** Of {@code linux/udmabuf.h}: makes a DMABUF of a memfd that is sealed against shrinking. */
  public static final Ioctl UDMABUF_CREATE =
      Ioctl.iow("UDMABUF_CREATE", 'u', 0x42, UdmabufCreate.SIZE);

  private DmaBufIoctls() {}
}
