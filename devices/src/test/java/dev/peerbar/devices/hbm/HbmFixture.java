package dev.peerbar.devices.hbm;

import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.DoorbellMode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
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

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  final HbmEndpoint endpoint;
  final FakeHost host;
  final MemorySegment ring;
  final MemorySegment ram;
  final MemorySegment memory;
  private int tail;

  HbmFixture() {
    this(new HbmConfig(1 << 20, 2, DoorbellMode.TRAP, false));
  }

  HbmFixture(HbmConfig config) {
    endpoint = new HbmEndpoint(config);
    host = new FakeHost(endpoint);
    memory = host.memory(2);
    ring = host.map(RING, 2 * ENTRIES * 64);
    // Beyond the ring are descriptors that nobody must run.
    ring.asSlice(ENTRIES * 64).fill((byte) 0xff);
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
    write8(0x1008, RING);
    write4(0x1010, ENTRIES);
    write4(0x1000, 1);
    tail = 0;
    return this;
  }

  void ringDoorbell(long value) {
    write4(0x8000, value);
  }

  /** Puts a descriptor into the next entry without ringing. */
  HbmFixture put(TestDescriptor descriptor) {
    MemorySegment entry = ring.asSlice(tail * 64L, 64);
    entry.set(INT, 0, descriptor.opcode());
    entry.set(INT, 4, descriptor.flags());
    entry.set(LONG, 8, descriptor.source());
    entry.set(LONG, 16, descriptor.destination());
    entry.set(LONG, 24, descriptor.length());
    entry.set(LONG, 32, descriptor.record());
    entry.set(LONG, 40, descriptor.pattern());
    entry.set(LONG, 48, descriptor.tag());
    entry.set(LONG, 56, descriptor.reserved());
    tail = (tail + 1) % ENTRIES;
    return this;
  }

  /** Rings for all that was put. */
  HbmFixture ring() {
    ringDoorbell(tail);
    return this;
  }

  /** Puts, rings and waits until nothing is left to do. */
  HbmFixture run(TestDescriptor... descriptors) {
    for (TestDescriptor descriptor : descriptors) {
      put(descriptor);
    }
    ring();
    host.settle();
    return this;
  }

  record CompletionView(int status, int error, long moved, long result, long tag) {}

  CompletionView record() {
    long at = RECORD - RAM;
    return new CompletionView(
        ram.get(INT, at),
        ram.get(INT, at + 4),
        ram.get(LONG, at + 8),
        ram.get(LONG, at + 16),
        ram.get(LONG, at + 24));
  }
}
