package dev.peerbar.driver.contract;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.virtio.VirtioDriver;
import dev.peerbar.driver.virtio.Virtqueue;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.virtio.ShoutingDevice;
import dev.peerbar.virtio.VirtioFeature;
import dev.peerbar.virtio.VirtioPciEndpoint;
import dev.peerbar.virtio.VirtioStatus;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A virtio endpoint, driven. */
@Timeout(120)
public abstract class VirtioContract {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final int REQUESTS = 2000;

  private Device device;
  private VirtioDriver driver;
  private DmaRange ram;

  /** What is driven. */
  protected static Endpoint endpoint() {
    return new VirtioPciEndpoint(new ShoutingDevice());
  }

  /** Opens {@link #endpoint}, in the state that a reset leaves; the test closes it. */
  protected abstract Device open() throws Exception;

  @BeforeEach
  final void takeOver() throws Exception {
    device = open();
    driver = VirtioDriver.of(device);
    ram = device.allocate(1 << 16);
  }

  @AfterEach
  final void letGo() throws IOException {
    if (device != null) {
      device.close();
    }
  }

  private Virtqueue begin(int index, long features) throws IOException {
    driver.negotiate(features);
    Virtqueue queue = driver.queue(index, driver.queueSize(index));
    driver.ready();
    return queue;
  }

  private void expectShout(Virtqueue queue) throws IOException {
    DmaRange answer = ram.slice(64, 5);
    answer.clear();
    ram.write(0, "hello".getBytes(StandardCharsets.US_ASCII));
    queue.add(List.of(ram.slice(0, 5)), List.of(answer));
    queue.kick();
    assertThat(queue.await(LIMIT).written()).isEqualTo(5);
    assertThat(new String(answer.read(0, 5), StandardCharsets.US_ASCII)).isEqualTo("HELLO");
  }

  @Test
  void aRequestIsAnsweredAndInterrupts() throws IOException {
    for (int index = 0; index < 3; index++) {
      driver.resetDevice();
      Virtqueue queue = begin(index, 0);
      driver.drainInterrupts();
      expectShout(queue);
      int vector = driver.vector(index).orElseThrow();
      assertThat(driver.vectors().get(vector).await(LIMIT)).isPositive();
    }
  }

  /** The driver notifies only if it is asked to, and waits for no interrupt. */
  @Test
  void noRequestIsForgotten() throws IOException {
    for (long features : new long[] {0, VirtioFeature.EVENT_IDX}) {
      driver.resetDevice();
      Virtqueue queue = begin(0, features);
      int added = 0;
      int used = 0;
      while (used < REQUESTS) {
        while (added < REQUESTS && queue.free() >= 2) {
          queue.add(List.of(ram.slice(0, 16)), List.of(ram.slice(64, 16)));
          queue.kick();
          added++;
        }
        assertThat(queue.await(LIMIT).written()).isEqualTo(16);
        used++;
      }
      assertThat(queue.poll()).isEmpty();
    }
  }

  /** With events asked for one by one, each wait ends by an interrupt. */
  @Test
  void noInterruptIsForgotten() throws IOException {
    Virtqueue queue = begin(0, VirtioFeature.EVENT_IDX);
    int vector = driver.vector(0).orElseThrow();
    for (int request = 0; request < REQUESTS / 10; request++) {
      queue.usedEvent(queue.next());
      queue.add(List.of(ram.slice(0, 16)), List.of(ram.slice(64, 16)));
      queue.kick();
      assertThat(driver.vectors().get(vector).await(LIMIT)).isPositive();
      assertThat(queue.poll()).isPresent();
    }
  }

  @Test
  void resetsComeInTheMiddleOfRequests() throws IOException {
    for (int round = 0; round < 60; round++) {
      Virtqueue queue = begin(0, VirtioFeature.TRANSPORT);
      while (queue.free() >= 2) {
        queue.add(List.of(ram.slice(0, 2048)), List.of(ram.slice(4096, 2048)));
      }
      queue.kick();
      switch (round % 3) {
        case 0 -> driver.resetDevice();
        case 1 -> {
          driver.resetQueue(0);
          expectUntouched(queue);
          expectShout(driver.queue(0, 4));
          driver.resetDevice();
        }
        default -> {
          device.reset();
          driver.setUp();
        }
      }
      expectUntouched(queue);
    }
    expectShout(begin(2, VirtioFeature.TRANSPORT));
  }

  /** Nothing of a ring is written any more. */
  private static void expectUntouched(Virtqueue queue) throws IOException {
    queue.used().clear();
    Thread.onSpinWait();
    byte[] bytes = queue.used().read(0, (int) queue.used().length());
    assertThat(bytes).containsOnly(0);
  }

  @Test
  void aBrokenRingIsTold() throws IOException {
    Virtqueue queue = begin(1, 0);
    driver.drainInterrupts();
    queue.offer(0x7fff);
    queue.kick();
    assertThat(driver.vectors().getFirst().await(LIMIT)).isPositive();
    assertThat(driver.status() & VirtioStatus.DEVICE_NEEDS_RESET).isNotZero();
    driver.resetDevice();
    expectShout(begin(1, 0));
  }
}
