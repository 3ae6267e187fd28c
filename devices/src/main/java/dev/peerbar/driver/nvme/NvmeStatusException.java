package dev.peerbar.driver.nvme;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import java.io.IOException;

/** A command that should have succeeded ended with another status. */
public final class NvmeStatusException extends IOException {
  private static final long serialVersionUID = 1L;

  private final Status status;

  NvmeStatusException(String command, CompletionEntry completion) {
    super(command + ": " + completion);
    status = completion.status();
  }

  public Status status() {
    return status;
  }
}
