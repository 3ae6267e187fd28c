package dev.peerbar.engine;

/** A descriptor has a link that leads to no descriptor. */
public final class BadLinkException extends Exception {
  private static final long serialVersionUID = 1L;

  private final long link;

  /**
   * @param link as it was read
   */
  public BadLinkException(long link) {
    // A guest decides how many there are, and no trace would tell it more.
    super("no descriptor can be at IOVA 0x%x".formatted(link), null, false, false);
    this.link = link;
  }

  /** The link as it was read: zero, or misaligned. */
  public long link() {
    return link;
  }
}
