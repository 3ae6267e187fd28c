package dev.peerbar.devices.hbm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.SegmentMemory;
import dev.peerbar.driver.fake.FakeDevice;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.DoorbellMode;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;

/**
 * An HBM endpoint as its driver sees it: registers, a ring in client memory for channel 0, buffers.
 */
final class HbmFixture {
  static final long RING = 0x10_0000;
  static final int ENTRIES = 8;

  /** Client memory beside the ring. */
  static final long RAM = 0x4000_0000;

  static final long RAM_BYTES = 2 << 20;

  /** Where tests have completion records. */
  static final long RECORD = RAM + RAM_BYTES - 64;

  static final long UNMAPPED = 0xdead_0000L;

  final Engine.Polling polling;
  final HbmEndpoint endpoint;
  final FakeHost host;
  final MemorySegment ring;
  final MemorySegment ram;
  final MemorySegment memory;
  final HbmDriver driver;

  /** Channel 0. */
  final HbmChannel channel;

  HbmFixture(Engine.Polling polling) {
    this(polling, new HbmConfig(1 << 20, 2, DoorbellMode.TRAP, false));
  }

  HbmFixture(Engine.Polling polling, HbmConfig config) {
    this.polling = polling;
    endpoint = new HbmEndpoint(config);
    host = new FakeHost(endpoint, polling);
    driver = expected(() -> new HbmDriver(new FakeDevice(host), List.of()));
    memory = host.memory(2);
    ring = host.map(RING, 2 * ENTRIES * 64);
    // Beyond the ring are descriptors that nobody must run.
    ring.asSlice(ENTRIES * 64).fill((byte) 0xff);
    channel = driver.channel(0, DmaRange.of(new SegmentMemory(ring), RING).slice(0, ENTRIES * 64));
    ram = host.map(RAM, RAM_BYTES);
    randomise(ram, 1);
    randomise(memory, 2);
  }

  static void randomise(MemorySegment segment, long seed) {
    byte[] bytes = new byte[(int) segment.byteSize()];
    new Random(seed).nextBytes(bytes);
    MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, 0, bytes.length);
  }

  static byte[] bytes(MemorySegment segment, long offset, long length) {
    return segment.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  byte[] ram(long iova, long length) {
    return bytes(ram, iova - RAM, length);
  }

  byte[] memory(long offset, long length) {
    return bytes(memory, offset, length);
  }

  // Registers.

  long read4(long offset) {
    return endpoint.read(0, offset, AccessWidth.DWORD);
  }

  long read8(long offset) {
    return endpoint.read(0, offset, AccessWidth.QWORD);
  }

  void write4(long offset, long value) {
    endpoint.write(0, offset, AccessWidth.DWORD, value);
  }

  void write8(long offset, long value) {
    endpoint.write(0, offset, AccessWidth.QWORD, value);
  }

  long status() {
    return read4(0x0c);
  }

  long fault() {
    return read4(0x28);
  }

  long faultAddress() {
    return read8(0x20);
  }

  long state() {
    return read4(0x1004);
  }

  long head() {
    return read4(0x1014);
  }

  long error() {
    return read4(0x1018);
  }

  long completed() {
    return read8(0x1020);
  }

  // Channel 0.

  HbmFixture enable() {
    expected(channel::enable);
    return this;
  }

  void ringDoorbell(int value) {
    expected(() -> channel.ring(value));
  }

  /** Puts a descriptor into the next entry without ringing. */
  HbmFixture put(Descriptor descriptor) {
    expected(() -> channel.put(descriptor));
    return this;
  }

  /** Rings for all that was put. */
  HbmFixture ring() {
    expected(channel::ring);
    return this;
  }

  /** Puts, rings and waits until nothing is left to do. */
  HbmFixture run(Descriptor... descriptors) {
    expected(() -> channel.put(descriptors).ring());
    host.settle();
    return this;
  }

  /** What is valid is a job of the engine's, or for the host to look for. */
  void isGiven() {
    assertThat(host.jobsWaiting()).isEqualTo(polling == Engine.Polling.NEVER ? 1 : 0);
  }

  Completion record() {
    return expected(() -> Completion.at(new SegmentMemory(ram), RECORD - RAM));
  }

  private interface Access<T> {
    T make() throws IOException;
  }

  /** In this process no access fails. */
  private static <T> T expected(Access<T> access) {
    try {
      return access.make();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
