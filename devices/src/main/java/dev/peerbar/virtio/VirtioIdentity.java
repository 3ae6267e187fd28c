package dev.peerbar.virtio;

import java.util.List;

/**
 * What a virtio device is and offers.
 *
 * @param deviceId its type (Virtual I/O Device 1.3, chapter 5), such as 16 for a GPU
 * @param classCode 24 bits, of the function that carries it
 * @param features bits of its own (2.2: 0 to 23, and 50 and above)
 * @param configBytes size of its configuration
 * @param queues at least one
 */
public record VirtioIdentity(
    int deviceId, int classCode, long features, int configBytes, List<Queue> queues) {
  public VirtioIdentity {
    queues = List.copyOf(queues);
  }

  /**
   * A virtqueue.
   *
   * @param name for threads, logs and traces, unique within the device
   * @param size the most descriptors, a power of 2 up to 32768
   * @param engine whose requests are carried out one after another, by name: queues may share one
   */
  public record Queue(String name, int size, String engine) {}
}
