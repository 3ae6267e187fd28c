package dev.peerbar.devices.gpu;

/**
 * What an output shows: part of a resource.
 *
 * @param rectangle neither empty nor beyond the framebuffer
 */
record Scanout(Resource resource, Rectangle rectangle, Framebuffer framebuffer) {

  /** How the pixels of the resource are found. */
  sealed interface Framebuffer {}

  /** The pixels that the device keeps of a 2D resource. */
  record Kept(Resource.Image image) implements Framebuffer {}

  /**
   * Pixels in a blob, which covers them all.
   *
   * @param stride bytes from a row to the next
   * @param offset of the first pixel in the blob, in bytes
   */
  record InBlob(Format format, long stride, long offset) implements Framebuffer {}
}
