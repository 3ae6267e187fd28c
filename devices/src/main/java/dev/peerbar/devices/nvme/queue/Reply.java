package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import java.util.function.Consumer;

/**
 * How an admin command ends: exactly one call, now or later, on the function's thread. After the
 * end of the generation that the command belongs to all calls do nothing. A command whose data
 * pointer fails completes with what is wrong with it, and {@link Events#failed} is told.
 */
public interface Reply {

  /** Completes the command without data. */
  void complete(Status status, int dword0);

  /** Completes the command without data and with dword 0 clear. */
  default void complete(Status status) {
    complete(status, 0);
  }

  /** Moves data to the host through the data pointer, all of it, then completes with success. */
  default void send(byte[] data) {
    send(data, 0);
  }

  /** Moves data to the host through the data pointer, all of it, then completes with success. */
  void send(byte[] data, int dword0);

  /**
   * Moves data from the host through the data pointer. If that works the command is still to be
   * completed: {@code then} runs on the function's thread, and the reply takes one more call.
   *
   * @param length in bytes, at most 64 KiB
   */
  void receive(int length, Consumer<byte[]> then);
}
