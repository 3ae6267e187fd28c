package dev.peerbar.server;

import dev.peerbar.protocol.socket.Poller;
import dev.peerbar.server.function.FunctionPoller;

/** What a function looks for, as its event loop has it looked for: functions know no loop. */
record LoopPoller(FunctionPoller function) implements Poller {
  @Override
  public boolean active() {
    return function.active();
  }

  @Override
  public boolean rings() {
    return function.rings();
  }

  @Override
  public boolean run() {
    return function.run();
  }

  @Override
  public boolean rest() {
    return function.rest();
  }
}
