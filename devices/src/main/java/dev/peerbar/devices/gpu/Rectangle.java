package dev.peerbar.devices.gpu;

/**
 * Part of an image, in pixels from its top left. Each number is of 32 bits without a sign, so that
 * sums of two are exact.
 */
record Rectangle(long x, long y, long width, long height) {

  boolean empty() {
    return width == 0 || height == 0;
  }

  /** Whether an image of that size covers it. */
  boolean within(long imageWidth, long imageHeight) {
    return x + width <= imageWidth && y + height <= imageHeight;
  }

  /** What both cover: empty if that is nothing. */
  Rectangle intersect(Rectangle other) {
    long left = Math.max(x, other.x);
    long top = Math.max(y, other.y);
    long right = Math.min(x + width, other.x + other.width);
    long bottom = Math.min(y + height, other.y + other.height);
    return new Rectangle(left, top, Math.max(0, right - left), Math.max(0, bottom - top));
  }
}
