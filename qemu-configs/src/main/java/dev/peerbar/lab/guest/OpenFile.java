package dev.peerbar.lab.guest;

/**
 * An open file of the guest's agent.
 *
 * @param fd its descriptor
 * @param target what the kernel says it is: a path, or such as {@code anon_inode:[eventfd]} and
 *     {@code /dmabuf:}
 */
public record OpenFile(int fd, String target) {
  private static final String DMA_BUF = "/dmabuf:";

  /** Whether it is a DMABUF. */
  public boolean isDmaBuf() {
    return target.startsWith(DMA_BUF);
  }

  @Override
  public String toString() {
    return "fd %d: %s".formatted(fd, target);
  }
}
