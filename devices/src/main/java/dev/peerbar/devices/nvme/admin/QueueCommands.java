package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.queue.Priority;
import dev.peerbar.devices.nvme.queue.QueueSet;
import java.util.function.Supplier;

/**
 * The commands about I/O queues: Create and Delete (NVMe 1.4 5.3 to 5.6), Abort (5.1), Doorbell
 * Buffer Config (5.7). Of one generation.
 */
final class QueueCommands {
  /** Aborts that may be under way at once: ACL + 1. */
  static final int MOST_ABORTS = 4;

  // Fields of the commands.
  private static final int DWORD10 = 10;
  private static final int DWORD11 = 11;
  private static final int ID_MASK = 0xffff;
  private static final int HIGH_WORD = 16;
  private static final int WORD = 0xffff;
  private static final int PRIORITY_SHIFT = 1;
  private static final int PRIORITY_MASK = 0x3;
  private static final int INTERRUPTS_SHIFT = 1;

  private static final int ADMIN_QUEUE = 0;
  private static final int NOT_ABORTED = 1;

  private final AdminSettings settings;
  private final AsyncEvents events;
  private final Supplier<QueueSet> queues;
  private boolean created;
  private int aborts;

  QueueCommands(AdminSettings settings, AsyncEvents events, Supplier<QueueSet> queues) {
    this.settings = settings;
    this.events = events;
    this.queues = queues;
  }

  /** Whether a queue was ever created. */
  boolean created() {
    return created;
  }

  void createCompletionQueue(AdminCommand command) {
    int vector = command.field(DWORD11, HIGH_WORD, WORD);
    if (!contiguous(command) || !entrySizesSet(command)) {
      return;
    }
    // The pin, and a single message, have no number.
    if (vector != 0 && !settings.msixEnabled().getAsBoolean()) {
      command.end(Status.INVALID_INTERRUPT_VECTOR, Parameter.of(DWORD11, HIGH_WORD));
      return;
    }
    Status status =
        queues
            .get()
            .createCompletionQueue(
                command.field(DWORD10, 0, ID_MASK),
                command.field(DWORD10, HIGH_WORD, WORD) + 1,
                command.entry().prp1(),
                vector,
                command.field(DWORD11, INTERRUPTS_SHIFT, 1) != 0);
    endCreation(command, status);
  }

  void createSubmissionQueue(AdminCommand command) {
    if (!contiguous(command) || !entrySizesSet(command)) {
      return;
    }
    Status status =
        queues
            .get()
            .createSubmissionQueue(
                command.field(DWORD10, 0, ID_MASK),
                command.field(DWORD10, HIGH_WORD, WORD) + 1,
                command.entry().prp1(),
                command.field(DWORD11, HIGH_WORD, WORD),
                Priority.of(command.field(DWORD11, PRIORITY_SHIFT, PRIORITY_MASK)));
    endCreation(command, status);
  }

  /** PC: CAP.CQR says that queues have to be. */
  private static boolean contiguous(AdminCommand command) {
    if (command.field(DWORD11, 0, 1) == 0) {
      command.invalidField(Parameter.of(DWORD11, 0));
      return false;
    }
    return true;
  }

  /** Hosts may enable the controller first and set the sizes of I/O queue entries later. */
  private boolean entrySizesSet(AdminCommand command) {
    if (!settings.entrySizesSet().getAsBoolean()) {
      command.end(Status.INVALID_QUEUE_SIZE);
      return false;
    }
    return true;
  }

  private void endCreation(AdminCommand command, Status status) {
    created |= status == Status.SUCCESS;
    int parameter =
        switch (status) {
          case INVALID_QUEUE_IDENTIFIER -> Parameter.of(DWORD10, 0);
          case INVALID_QUEUE_SIZE -> Parameter.of(DWORD10, HIGH_WORD);
          case INVALID_INTERRUPT_VECTOR, COMPLETION_QUEUE_INVALID ->
              Parameter.of(DWORD11, HIGH_WORD);
          default -> Parameter.PRP1;
        };
    command.end(status, parameter);
  }

  void deleteSubmissionQueue(AdminCommand command) {
    queues
        .get()
        .deleteSubmissionQueue(
            command.field(DWORD10, 0, ID_MASK),
            status -> command.end(status, Parameter.of(DWORD10, 0)));
  }

  void deleteCompletionQueue(AdminCommand command) {
    Status status = queues.get().deleteCompletionQueue(command.field(DWORD10, 0, ID_MASK));
    command.end(status, Parameter.of(DWORD10, 0));
  }

  void abort(AdminCommand command) {
    if (aborts == MOST_ABORTS) {
      command.end(Status.ABORT_COMMAND_LIMIT_EXCEEDED);
      return;
    }
    int queue = command.field(DWORD10, 0, ID_MASK);
    int commandId = command.field(DWORD10, HIGH_WORD, WORD);
    if (queue == ADMIN_QUEUE) {
      // Of admin commands only event requests wait long enough to be aborted.
      command.succeed(events.abort(commandId) ? 0 : NOT_ABORTED);
      return;
    }
    if (!queues.get().hasSubmissionQueue(queue)) {
      command.succeed(NOT_ABORTED);
      return;
    }
    aborts++;
    queues
        .get()
        .abort(
            queue,
            commandId,
            aborted -> {
              aborts--;
              command.succeed(aborted ? 0 : NOT_ABORTED);
            });
  }

  void doorbellBufferConfig(AdminCommand command) {
    long buffer = command.entry().prp1();
    long eventIdx = command.entry().prp2();
    long offsetMask = settings.pageSize() - 1L;
    if ((buffer & offsetMask) != 0) {
      command.invalidField(Parameter.PRP1);
    } else if ((eventIdx & offsetMask) != 0) {
      command.invalidField(Parameter.PRP2);
    } else {
      queues.get().shadowDoorbells(buffer, eventIdx);
      command.succeed();
    }
  }
}
