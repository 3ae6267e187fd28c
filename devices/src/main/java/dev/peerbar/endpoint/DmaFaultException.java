package dev.peerbar.endpoint;

/** A transfer met a byte that it could not move. */
public final class DmaFaultException extends Exception {
  private static final long serialVersionUID = 1L;

  /** Which side of the transfer failed. */
  public enum Access {
    READ,
    WRITE
  }

  /** Why it failed. */
  public enum Reason {
    /** No mapping covers the address. */
    UNMAPPED,
    /** The mapping does not allow this access. */
    NOT_PERMITTED,
    /** Bus Master Enable is off: the function may not issue the request. */
    BUS_MASTER_DISABLED,
    /** The memory is mapped but the client, or the file behind it, failed the access. */
    CLIENT_FAILED
  }

  private final Access access;
  private final Reason reason;
  private final long iova;
  private final long transferred;

  /**
   * @param iova the first byte that could not be moved
   * @param transferred bytes of the call that were moved before it
   */
  public DmaFaultException(Access access, Reason reason, long iova, long transferred) {
    super("%s fault at IOVA 0x%x: %s".formatted(access, iova, reason), null, false, false);
    this.access = access;
    this.reason = reason;
    this.iova = iova;
    this.transferred = transferred;
  }

  public Access access() {
    return access;
  }

  public Reason reason() {
    return reason;
  }

  /** The first byte that could not be moved. */
  public long iova() {
    return iova;
  }

  /** Bytes of the call that were moved before the fault. */
  public long transferred() {
    return transferred;
  }
}
