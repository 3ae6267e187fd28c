package dev.peerbar.bench.rig;

import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The floor of a message: a thread that takes in a request of a known length and sends a reply of
 * another, and does nothing else. It closes descriptors that come along.
 */
public final class Floor implements AutoCloseable {
  private final Messenger near;
  private final Messenger far;
  private final Thread responder;

  private Floor(Messenger near, Messenger far, Thread responder) {
    this.near = near;
    this.far = far;
    this.responder = responder;
  }

  /**
   * Starts one.
   *
   * @param request length in bytes
   * @param reply length in bytes; 0 for none
   */
  public static Floor start(int request, int reply) throws LinuxException {
    UnixSocket.Pair pair = UnixSocket.pair();
    Messenger far = new Messenger(pair.second(), request);
    MemorySegment answer = Arena.ofAuto().allocate(Math.max(1, reply)).asSlice(0, reply);
    Thread responder =
        Thread.ofPlatform().daemon().name("floor").start(() -> respond(far, request, answer));
    return new Floor(new Messenger(pair.first(), Math.max(1, reply)), far, responder);
  }

  private static void respond(Messenger far, int request, MemorySegment answer) {
    try {
      while (true) {
        far.receive(request);
        if (answer.byteSize() > 0) {
          far.send(answer);
        }
      }
    } catch (LinuxException | IllegalStateException _) {
      // The benchmark is over.
    }
  }

  /** The client's end. */
  public Messenger messenger() {
    return near;
  }

  @Override
  public void close() throws LinuxException {
    UnixSocket.shutdown(near.socket(), UnixSocket.Direction.BOTH);
    try {
      responder.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    near.close();
    far.close();
  }
}
