package dev.peerbar.lab.uapi;

/**
 * {@code struct udmabuf_create}: the ioctl's result is the DMABUF, close-on-exec.
 *
 * @param memfd whose memory it is; sealed against shrinking
 * @param offset first byte of it
 * @param length in bytes
 */
public record UdmabufCreate(int memfd, long offset, long length) {
  public static final int SIZE = 24;
  private static final int CLOEXEC = 1;

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(memfd)
        .putInt(CLOEXEC)
        .putLong(offset)
        .putLong(length)
        .array();
  }
}
