package dev.peerbar.pci;

/** How clients reach an endpoint's doorbell registers. */
public enum DoorbellMode {
  /** Each write is a message. */
  TRAP,
  /** The doorbell page is shared memory; a write is a plain store, by a peer device too. */
  MAP
}
