package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.SubmissionEntry;

/** What admin commands mean. On the function's thread. */
public interface AdminHandler {

  /**
   * Judges a command and begins it, FUSE and PSDT included.
   *
   * @param command a copy that stays as it is
   * @param reply to be called exactly once, now or later
   */
  void execute(SubmissionEntry command, Reply reply);
}
