package dev.peerbar.devices.gpu;

/**
 * What a driver can have at most: a command that would need more is answered with
 * ERR_OUT_OF_MEMORY.
 *
 * @param resources 2D and blobs together
 * @param hostBytes of this process for the pixels of 2D resources, what outputs show, and lists of
 *     backing entries; while an output is flushed, its rows are there twice beside that
 * @param entries of one backing
 */
public record GpuLimits(int resources, long hostBytes, int entries) {
  /** Of a framebuffer or a 2D resource, on either side, in pixels. */
  static final int MOST_PIXELS = 1 << 14;

  /** A backing in pages of 4 KiB may have 512 MiB. */
  public static final GpuLimits DEFAULT = new GpuLimits(4096, 256L << 20, 1 << 17);
}
