package dev.peerbar.virtio;

/** A driver has written into a ring, or a descriptor, what no driver may. */
final class MalformedRingException extends Exception {
  private static final long serialVersionUID = 1L;

  /**
   * @param what is wrong, a sentence
   */
  MalformedRingException(String what) {
    // A guest decides how often: there is no use in a trace of it.
    super(what, null, false, false);
  }
}
