package dev.peerbar.devices.nvme.queue;

/** What came of a doorbell write; all but OK are asynchronous events (NVMe 1.4 5.2.1). */
public enum RingResult {
  OK,
  /** Invalid Doorbell Register: there is no such queue. */
  NO_SUCH_QUEUE,
  /** Invalid Doorbell Write Value: outside of the queue, or beyond what there is to take. */
  INVALID_VALUE
}
