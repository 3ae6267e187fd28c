package dev.peerbar.server.function;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;

/** Watches event descriptors of one client's connection. For the function's thread. */
public interface EventWatcher {

  /** What is told of one descriptor. */
  interface Watch extends AutoCloseable {
    /** Nothing more is told; the descriptor that was handed over is closed. */
    @Override
    void close();
  }

  /**
   * Begins to watch.
   *
   * @param readable a descriptor that polls; taken over, whatever happens
   * @param ready told on the function's thread, again and again as long as it can be read
   */
  Watch watch(FileDescriptor readable, Runnable ready) throws LinuxException;
}
