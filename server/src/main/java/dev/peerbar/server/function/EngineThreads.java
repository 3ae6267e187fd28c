package dev.peerbar.server.function;

import dev.peerbar.linux.CpuAffinity;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.TimerSlack;
import dev.peerbar.server.dma.EngineName;
import java.util.BitSet;
import java.util.Optional;
import java.util.concurrent.ThreadFactory;

/**
 * Makes the threads of engines. They are started by the function's thread, and would stay on the
 * processor that it may have for itself.
 *
 * @param processors on which they run; empty where the system does not say
 */
record EngineThreads(Optional<BitSet> processors) {

  /** They run where the calling thread may. */
  static EngineThreads likeThis() {
    try {
      return new EngineThreads(Optional.of(CpuAffinity.ofCallingThread()));
    } catch (LinuxException _) {
      return new EngineThreads(Optional.empty());
    }
  }

  /** Of one engine. */
  ThreadFactory of(EngineName name) {
    ThreadFactory threads = Thread.ofPlatform().daemon().name(name.toString()).factory();
    return work ->
        threads.newThread(() -> {
          spread();
          // Work that naps between two looks at memory means short naps.
          TimerSlack.least();
          work.run();
        });
  }

  private void spread() {
    try {
      if (processors.isPresent()) {
        CpuAffinity.setOfCallingThread(processors.get());
      }
    } catch (LinuxException _) {
      // They have been taken away meanwhile: it stays where it is.
    }
  }
}
