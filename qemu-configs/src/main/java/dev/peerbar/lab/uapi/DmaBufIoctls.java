package dev.peerbar.lab.uapi;

/** The requests of {@code linux/dma-buf.h} that a DMABUF's file descriptor takes. */
public final class DmaBufIoctls {
  private static final char BASE = 'b';

  public static final Ioctl DMA_BUF_IOCTL_SYNC =
      Ioctl.iow("DMA_BUF_IOCTL_SYNC", BASE, 0, Long.BYTES);

  /** Takes a pointer to a name of at most 31 characters and its NUL. */
  public static final Ioctl DMA_BUF_SET_NAME = Ioctl.iow("DMA_BUF_SET_NAME", BASE, 1, Long.BYTES);

  private DmaBufIoctls() {}
}
