package dev.peerbar.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.FakeDevice;
import dev.peerbar.driver.virtio.VirtioDriver;
import dev.peerbar.driver.virtio.Virtqueue;
import dev.peerbar.driver.virtio.Virtqueue.Used;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;

/** The shouting device, and a driver of it with MSI-X. */
final class VirtioFixture {
  static final Duration LIMIT = Duration.ofSeconds(10);

  final ShoutingDevice shouting = new ShoutingDevice();
  final FakeDevice device = new FakeDevice(new VirtioPciEndpoint(shouting));
  final VirtioDriver driver;
  final DmaRange ram;

  VirtioFixture() throws IOException {
    driver = VirtioDriver.of(device);
    ram = device.allocate(1 << 20);
  }

  /** A queue of a device that is ready, with what was negotiated. */
  Virtqueue begin(int queue, long features) throws IOException {
    driver.negotiate(features);
    Virtqueue virtqueue = driver.queue(queue, driver.queueSize(queue));
    driver.ready();
    device.host().settle();
    return virtqueue;
  }

  /** Text at an offset in RAM. */
  DmaRange text(long offset, String text) throws IOException {
    DmaRange range = ram.slice(offset, text.length());
    range.write(0, text.getBytes(StandardCharsets.US_ASCII));
    return range;
  }

  static String string(DmaRange range) throws IOException {
    return new String(range.read(0, Math.toIntExact(range.length())), StandardCharsets.US_ASCII);
  }

  /** The device does what it is there for. */
  void expectShout(Virtqueue queue) throws IOException {
    DmaRange answer = ram.slice(0x8000, 5);
    answer.clear();
    int head = queue.add(List.of(text(0x7000, "hello")), List.of(answer));
    queue.kick();
    assertThat(queue.await(LIMIT)).isEqualTo(new Used(head, 5));
    assertThat(string(answer)).isEqualTo("HELLO");
  }

  /** After whatever has happened, a reset of the device makes all well. */
  void expectRecovery() throws IOException {
    driver.resetDevice();
    assertThat(driver.status()).isZero();
    expectShout(begin(0, VirtioFeature.TRANSPORT));
  }

  boolean needsReset() throws IOException {
    return (driver.status() & VirtioStatus.DEVICE_NEEDS_RESET) != 0;
  }
}
