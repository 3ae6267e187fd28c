package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.devices.nvme.queue.Events;
import dev.peerbar.devices.nvme.queue.Reply;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** An admin command on its way: its entry, and how it ends. One of the endings, once. */
final class AdminCommand {
  private static final Logger LOG = LoggerFactory.getLogger(AdminCommand.class);
  private static final int ADMIN_QUEUE = 0;

  private final SubmissionEntry entry;
  private final Reply reply;
  private final ErrorLog errors;

  AdminCommand(SubmissionEntry entry, Reply reply, ErrorLog errors) {
    this.entry = entry;
    this.reply = reply;
    this.errors = errors;
  }

  SubmissionEntry entry() {
    return entry;
  }

  /** A field of a command dword. */
  int field(int dword, int shift, int mask) {
    return entry.dword(dword) >>> shift & mask;
  }

  void succeed() {
    reply.complete(Status.SUCCESS);
  }

  void succeed(int dword0) {
    reply.complete(Status.SUCCESS, dword0);
  }

  void send(byte[] data) {
    reply.send(data);
  }

  /** Takes data from the host; if that works one more ending is due. */
  void receive(int length, Consumer<byte[]> then) {
    reply.receive(length, then);
  }

  /** Ends with a status; an error that no parameter is to blame for is logged as such. */
  void end(Status status) {
    end(status, Events.NO_PARAMETER);
  }

  /** Ends with a status, which if it is an error is one of a {@link Parameter}. */
  void end(Status status, int parameter) {
    if (status != Status.SUCCESS) {
      LOG.debug(
          "Admin opcode 0x{}, dwords 10 and 11 0x{} 0x{}: {}",
          Integer.toHexString(entry.opcode()),
          Integer.toHexString(entry.dword(10)),
          Integer.toHexString(entry.dword(11)),
          status);
      errors.add(ADMIN_QUEUE, entry.commandId(), status, parameter, 0, entry.namespaceId());
    }
    reply.complete(status);
  }

  /** Ends with Invalid Field in Command. */
  void invalidField(int parameter) {
    end(Status.INVALID_FIELD_IN_COMMAND, parameter);
  }
}
