package dev.peerbar.server.dma;

/**
 * How far one transfer goes when it moves bytes by messages.
 *
 * @param readBytes the most bytes that one message reads, if the client gives as many; positive
 * @param writeBytes the most bytes that one message writes, if the client takes as many; positive
 * @param inFlight the most messages without their reply; positive
 */
public record MessageLimits(int readBytes, int writeBytes, int inFlight) {
  /**
   * For any client. QEMU believes a reply sent that its socket took in part only, so it is asked
   * for no more than fits in one buffer of a UNIX socket, which is a page and 32 KiB less some
   * overhead: that is taken as a whole or not at all. What is written has no such bound.
   */
  public static final MessageLimits DEFAULTS = new MessageLimits(32 << 10, 64 << 10, 8);

  public MessageLimits {
    if (readBytes <= 0 || writeBytes <= 0 || inFlight <= 0) {
      throw new IllegalArgumentException("nothing would be moved");
    }
  }
}
