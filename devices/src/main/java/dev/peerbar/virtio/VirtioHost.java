package dev.peerbar.virtio;

import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Timer;
import java.util.function.Consumer;

/** What a virtio device is given by its transport. Every method is for the function's thread. */
public interface VirtioHost {

  /** Tells the driver that the configuration has changed (Virtual I/O Device 1.3, 4.1.5.4). */
  void configurationChanged();

  /**
   * The engine of a queue, for work of the device's own in turn with its requests. A reset of the
   * queue, or of the device, ends such jobs too; requests of a queue that were held are for jobs
   * that were submitted here, and for those that {@link VirtioDevice#handle} is called with.
   *
   * @throws IndexOutOfBoundsException if there is no such queue
   */
  Engine engine(int queue);

  /**
   * A new timer, as {@link dev.peerbar.endpoint.Host#timer(Runnable, Consumer)}. A reset of the
   * device cancels it too.
   */
  Timer timer(Runnable action, Consumer<Throwable> failed);
}
