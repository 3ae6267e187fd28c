package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.storage.StorageException;

/**
 * What the queues tell the controller. On the function's thread, and not after the generation's
 * end.
 */
public interface Events {

  /** No parameter of the command is to blame (NVMe 1.4 figure 192, Parameter Error Location). */
  int NO_PARAMETER = 0xffff;

  /**
   * A queue cannot be reached, or the queues' work failed: Controller Fatal Status. The set expects
   * {@link QueueSet#end}.
   *
   * @param why for the log
   */
  void fatal(String why);

  /**
   * Why it is fatal that an engine's work failed.
   *
   * @param queue that it was for, as in "an I/O queue"
   */
  static String why(String queue, Throwable cause) {
    return cause instanceof DmaFaultException
        ? queue + " cannot be reached: " + cause.getMessage()
        : queue + "'s work failed: " + cause;
  }

  /**
   * A command completed with an error, for the Error Information log. Told before its completion's
   * interrupt. Not told of what an {@link AdminHandler} completed itself.
   *
   * @param parameter Parameter Error Location: bits 7:0 the byte, 10:8 the bit; or {@link
   *     #NO_PARAMETER}
   * @param lba first logical block that failed; 0 if none
   */
  void failed(int sqid, int commandId, Status status, int parameter, long lba, int nsid);

  /** What {@link QueueSet#pendingVectors} says may have changed. Only while the pin is in use. */
  void interruptStateChanged();

  /** A shadow doorbell has a value that its register could not take; once for each such value. */
  void invalidDoorbell();

  /** Storage failed: for SMART's critical warnings. */
  void storageFailed(StorageException.Kind kind);
}
