package dev.peerbar.scenario;

import java.nio.file.Path;
import java.util.List;

/**
 * What was seen around a failure, oldest first.
 *
 * @param calls the last calls of the guest's agent, a line each, those still under way included
 * @param hung where calls that had not returned were in the guest's kernel, some lines each
 * @param messages the last that the endpoints saw and did, a line each
 * @param logs the directory of QEMU's and the guest's logs
 */
public record Evidence(List<String> calls, List<String> hung, List<String> messages, Path logs) {
  public Evidence {
    calls = List.copyOf(calls);
    hung = List.copyOf(hung);
    messages = List.copyOf(messages);
  }
}
