package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How one admin command ends. For the function's thread. */
final class AdminReply implements Reply {
  private static final Logger log = LoggerFactory.getLogger(AdminReply.class);

  private final AdminQueue queue;
  private final SubmissionEntry command;
  private boolean called;

  AdminReply(AdminQueue queue, SubmissionEntry command) {
    this.queue = queue;
    this.command = command;
  }

  private void call() {
    if (called) {
      throw new IllegalStateException("An admin command completes once.");
    }
    called = true;
  }

  /**
   * Runs what executes the command. As with I/O commands, what it throws is an Internal Error of
   * the command, and thrown on only if the command has been completed, which it must not be twice.
   */
  void whileExecuting(Runnable execution) {
    try {
      execution.run();
    } catch (RuntimeException | Error e) {
      if (called) {
        throw e;
      }
      log.error("an admin command cannot be executed", e);
      called = true;
      queue.failed(command, Status.INTERNAL_ERROR);
    }
  }

  @Override
  public void complete(Status status, int dword0) {
    call();
    queue.complete(command, status, dword0);
  }

  @Override
  public void send(byte[] data, int dword0) {
    call();
    queue.transfer(
        command,
        transfer -> {
          Status status = transfer.findTarget(command, data.length);
          if (status != Status.SUCCESS) {
            return status;
          }
          MemorySegment buffer = transfer.buffer(data.length);
          buffer.copyFrom(MemorySegment.ofArray(data));
          return transfer.scatter(buffer);
        },
        status -> {
          if (status == Status.SUCCESS) {
            queue.complete(command, status, dword0);
          } else {
            queue.failed(command, status);
          }
        });
  }

  @Override
  public void receive(int length, Consumer<byte[]> then) {
    call();
    byte[] data = new byte[length];
    queue.transfer(
        command,
        transfer -> {
          MemorySegment buffer = transfer.buffer(length);
          Status status = transfer.gather(command, buffer);
          MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, data, 0, length);
          return status;
        },
        status -> {
          if (status == Status.SUCCESS) {
            called = false;
            whileExecuting(() -> then.accept(data));
          } else {
            queue.failed(command, status);
          }
        });
  }
}
