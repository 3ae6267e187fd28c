package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.engine.Errors;
import dev.peerbar.engine.Guard;

/**
 * How a command ends that failed by no fault of its own. Fatal is only what no completion can tell
 * (NVMe 1.4 9.5): that queues cannot be reached, or that what serves them has failed.
 */
final class CommandErrors implements Errors<Status> {
  static final CommandErrors INSTANCE = new CommandErrors();

  private CommandErrors() {}

  /**
   * Carries out commands, or a part of each.
   *
   * @param what is carried out, for the log
   */
  static Guard<Status> guard(String what) {
    return new Guard<>(what, INSTANCE);
  }

  @Override
  public Status of(DmaFaultException fault) {
    return Status.DATA_TRANSFER_ERROR;
  }

  @Override
  public Status broken() {
    return Status.INTERNAL_ERROR;
  }
}
