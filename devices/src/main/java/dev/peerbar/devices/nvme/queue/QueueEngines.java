package dev.peerbar.devices.nvme.queue;

import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The engines that work for the queues, from generation to generation: one for admin, some for I/O.
 */
public final class QueueEngines {
  private static final int IO_ENGINES = 5;

  /** Commands that take long and may be under way at once: an engine is left for all others. */
  static final int MOST_LONG = IO_ENGINES - 1;

  private final Host host;
  private final ControllerMemory memory;
  private final BufferedEngine admin;
  private final List<BufferedEngine> io;

  /** What is polled. */
  private final BufferedEngine polled;

  /** An engine, and what its work is done with. */
  record BufferedEngine(Engine engine, Buffers buffers) {}

  /** For {@link dev.peerbar.endpoint.Endpoint#start}, once. */
  public QueueEngines(Host host, ControllerMemory memory) {
    this.host = host;
    this.memory = memory;
    admin = buffered("admin");
    io = IntStream.range(0, IO_ENGINES).mapToObj(index -> buffered("io-" + index)).toList();
    polled = buffered("io-polled");
  }

  private BufferedEngine buffered(String name) {
    return new BufferedEngine(host.engine(name), new Buffers(memory));
  }

  Host host() {
    return host;
  }

  ControllerMemory memory() {
    return memory;
  }

  BufferedEngine admin() {
    return admin;
  }

  List<BufferedEngine> io() {
    return io;
  }

  /** For the host to poll, if it does. */
  BufferedEngine polled() {
    return polled;
  }
}
