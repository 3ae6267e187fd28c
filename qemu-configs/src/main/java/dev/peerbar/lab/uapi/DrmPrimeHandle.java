package dev.peerbar.lab.uapi;

/**
 * {@code struct drm_prime_handle}: a handle of this file, and a DMABUF's file descriptor; one is
 * given, the other an answer.
 */
public record DrmPrimeHandle(int handle, int fd) {
  public static final int SIZE = 12;

  /** Close-on-exec, and writable through a mapping: {@code DRM_CLOEXEC | DRM_RDWR}. */
  private static final int FLAGS = 0x80000 | 2;

  private static final int FD = 8;

  /** One whose handle is asked for. */
  public static DrmPrimeHandle ofFd(int fd) {
    return new DrmPrimeHandle(0, fd);
  }

  /** One whose descriptor is asked for. */
  public static DrmPrimeHandle ofHandle(int handle) {
    return new DrmPrimeHandle(handle, -1);
  }

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(handle).putInt(FLAGS).putInt(fd).array();
  }

  /** From the argument after the call. */
  public static DrmPrimeHandle decode(byte[] bytes) {
    return new DrmPrimeHandle(Structs.wrap(bytes).getInt(0), Structs.wrap(bytes).getInt(FD));
  }
}
