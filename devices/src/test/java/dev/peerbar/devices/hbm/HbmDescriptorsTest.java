package dev.peerbar.devices.hbm;

import static dev.peerbar.devices.hbm.Descriptor.copy;
import static dev.peerbar.devices.hbm.Descriptor.crc32c;
import static dev.peerbar.devices.hbm.Descriptor.fill;
import static dev.peerbar.devices.hbm.Descriptor.immediate;
import static dev.peerbar.devices.hbm.Descriptor.nop;
import static dev.peerbar.devices.hbm.HbmFixture.ENTRIES;
import static dev.peerbar.devices.hbm.HbmFixture.RAM;
import static dev.peerbar.devices.hbm.HbmFixture.RECORD;
import static dev.peerbar.devices.hbm.HbmFixture.UNMAPPED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.endpoint.Engine;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@InEveryMode
final class HbmDescriptorsTest {
  private static final long MEMORY_BYTES = 1 << 20;

  /** More than one piece of scratch memory, and no multiple of anything. */
  private static final long LONG = 600_001;

  private final HbmFixture hbm;

  HbmDescriptorsTest(Engine.Polling polling) {
    hbm = new HbmFixture(polling).enable();
  }

  private void succeeded(long moved, long result, long tag) {
    assertThat(hbm.record()).isEqualTo(new Completion(1, 0, moved, result, tag));
    assertThat(hbm.state()).isZero();
    assertThat(hbm.head()).isEqualTo(1);
    assertThat(hbm.completed()).isEqualTo(1);
    assertThat(hbm.fault()).isZero();
  }

  private static long crcOf(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return crc.getValue();
  }

  /** By the numbers of docs/hbm.md, not by those of the code. */
  @Nested
  final class Layout {

    @Test
    void ofADescriptor() {
      MemorySegment entry = FakeHost.allocate(64);
      new Descriptor(1, 2, 3, 4, 5, 6, 7, 8, 9).put(entry, 0);
      ByteBuffer ring = entry.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);

      assertThat(ring.getInt(0)).as("opcode").isEqualTo(1);
      assertThat(ring.getInt(4)).as("flags").isEqualTo(2);
      assertThat(ring.getLong(8)).as("source").isEqualTo(3);
      assertThat(ring.getLong(16)).as("destination").isEqualTo(4);
      assertThat(ring.getLong(24)).as("length").isEqualTo(5);
      assertThat(ring.getLong(32)).as("record").isEqualTo(6);
      assertThat(ring.getLong(40)).as("pattern").isEqualTo(7);
      assertThat(ring.getLong(48)).as("tag").isEqualTo(8);
      assertThat(ring.getLong(56)).as("reserved").isEqualTo(9);
      assertThat(crc32c(64).from(1).interrupt().recordAt(2).tag(3))
          .isEqualTo(new Descriptor(3, 3, 1, 0, 64, 2, 0, 3, 0));
      assertThat(copy(64).fromLocal(1).toLocal(2))
          .isEqualTo(new Descriptor(1, 12, 1, 2, 64, 0, 0, 0, 0));
    }

    @Test
    void ofARecord() {
      hbm.run(immediate(1, 8).to(RAM).recordAt(RECORD).tag(77));

      ByteBuffer record = ByteBuffer.wrap(hbm.ram(RECORD, 32)).order(ByteOrder.LITTLE_ENDIAN);
      assertThat(record.getInt(0)).as("status").isEqualTo(1);
      assertThat(record.getInt(4)).as("error").isZero();
      assertThat(record.getLong(8)).as("moved").isEqualTo(8);
      assertThat(record.getLong(16)).as("result").isZero();
      assertThat(record.getLong(24)).as("tag").isEqualTo(77);
    }
  }

  @Nested
  final class Opcodes {

    @Test
    void nopDoesNothingButComplete() {
      byte[] memory = hbm.memory(0, MEMORY_BYTES);
      hbm.run(nop().recordAt(RECORD).tag(77));

      succeeded(0, 0, 77);
      assertThat(hbm.memory(0, MEMORY_BYTES)).isEqualTo(memory);
    }

    @Test
    void copyFromClientToMemory() {
      byte[] source = hbm.ram(RAM + 3, LONG);
      hbm.run(copy(LONG).from(RAM + 3).toLocal(5).recordAt(RECORD).tag(-1));

      succeeded(LONG, 0, -1);
      assertThat(hbm.memory(5, LONG)).isEqualTo(source);
    }

    @Test
    void copyFromMemoryToClient() {
      byte[] source = hbm.memory(7, LONG);
      hbm.run(copy(LONG).fromLocal(7).to(RAM + 1).recordAt(RECORD));

      succeeded(LONG, 0, 0);
      assertThat(hbm.ram(RAM + 1, LONG)).isEqualTo(source);
    }

    @Test
    void copyFromClientToClient() {
      byte[] source = hbm.ram(RAM, LONG);
      hbm.run(copy(LONG).from(RAM).to(RAM + LONG).recordAt(RECORD));

      succeeded(LONG, 0, 0);
      assertThat(hbm.ram(RAM + LONG, LONG)).isEqualTo(source);
    }

    @Test
    void copyWithinMemory() {
      byte[] source = hbm.memory(0, 4096);
      hbm.run(copy(4096).fromLocal(0).toLocal(MEMORY_BYTES - 4096).recordAt(RECORD));

      succeeded(4096, 0, 0);
      assertThat(hbm.memory(MEMORY_BYTES - 4096, 4096)).isEqualTo(source);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 7, 8, 20, LONG})
    void fillRepeatsPatternAndCutsItsTail(long length) {
      byte[] expected = new byte[(int) length];
      for (int i = 0; i < length; i++) {
        expected[i] = (byte) (i % 8 + 1);
      }
      byte[] before = hbm.memory(2, MEMORY_BYTES - 2);
      hbm.run(fill(0x0807_0605_0403_0201L, length).toLocal(2).recordAt(RECORD));

      succeeded(length, 0, 0);
      System.arraycopy(expected, 0, before, 0, expected.length);
      assertThat(hbm.memory(2, MEMORY_BYTES - 2)).isEqualTo(before);
    }

    @Test
    void fillOfClient() {
      hbm.run(fill(0x5a5a_5a5a_5a5a_5a5aL, LONG).to(RAM).recordAt(RECORD));

      succeeded(LONG, 0, 0);
      assertThat(hbm.ram(RAM, LONG)).containsOnly(0x5a);
    }

    @Test
    void crcOfClient() {
      hbm.run(crc32c(LONG).from(RAM + 9).recordAt(RECORD));

      succeeded(LONG, crcOf(hbm.ram(RAM + 9, LONG)), 0);
    }

    @Test
    void crcOfMemory() {
      hbm.run(crc32c(LONG).fromLocal(11).recordAt(RECORD));

      succeeded(LONG, crcOf(hbm.memory(11, LONG)), 0);
    }

    @Test
    void crcOfKnownBytes() {
      hbm.ram
          .asSlice(0, 9)
          .copyFrom(MemorySegment.ofArray("123456789".getBytes(StandardCharsets.US_ASCII)));
      hbm.run(crc32c(9).from(RAM).recordAt(RECORD));

      succeeded(9, 0xe306_9283L, 0);
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 8})
    void immediateToClient(int length) {
      byte[] expected = hbm.ram(RAM, 16);
      ByteBuffer.wrap(expected).put(4, bytesOf(0x1122_3344_5566_7788L), 0, length);
      hbm.run(immediate(0x1122_3344_5566_7788L, length).to(RAM + 4).recordAt(RECORD));

      succeeded(length, 0, 0);
      assertThat(hbm.ram(RAM, 16)).isEqualTo(expected);
      assertThat(hbm.host.journal()).contains("write 0x%x+%d".formatted(RAM + 4, length));
    }

    @Test
    void immediateToMemory() {
      hbm.run(immediate(0x1122_3344_5566_7788L, 8).toLocal(0x100).recordAt(RECORD));

      succeeded(8, 0, 0);
      assertThat(hbm.memory(0x100, 8)).isEqualTo(bytesOf(0x1122_3344_5566_7788L));
    }

    @Test
    void nothingToMove() {
      hbm.run(copy(0).from(UNMAPPED).toLocal(MEMORY_BYTES).recordAt(RECORD));

      succeeded(0, 0, 0);
    }

    private static byte[] bytesOf(long value) {
      return ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    }
  }

  @Nested
  final class Flags {

    @Test
    void noneMeansNoInterruptAndNoRecord() {
      hbm.run(copy(64).from(RAM).toLocal(0));

      assertThat(hbm.completed()).isEqualTo(1);
      assertThat(hbm.host.raised()).isEmpty();
      assertThat(hbm.host.journal()).doesNotContain("write 0x%x+4".formatted(RECORD));
    }

    @Test
    void interruptRaisesVectorOfChannel() {
      hbm.write4(0x101c, 2);
      hbm.run(nop().interrupt(), nop(), nop().interrupt());

      assertThat(hbm.host.raised()).containsExactly(2, 2);
      assertThat(hbm.completed()).isEqualTo(3);
    }

    @Test
    void recordHasItsStatusWrittenLastAndBeforeTheInterrupt() {
      hbm.run(copy(64).fromLocal(0).to(RAM).recordAt(RECORD).interrupt());

      assertThat(hbm.host.journal())
          .endsWith(
              "write 0x%x+64".formatted(RAM),
              "write 0x%x+28".formatted(RECORD + 4),
              "write 0x%x+4".formatted(RECORD),
              "raise 1");
    }

    @Test
    void fenceHolds() {
      hbm.run(fill(1, 64).toLocal(0), crc32c(64).fromLocal(0).with(1 << 4).recordAt(RECORD));

      assertThat(hbm.record().result()).isEqualTo(crcOf(hbm.memory(0, 64)));
      assertThat(hbm.completed()).isEqualTo(2);
    }

    @Test
    void withoutMeaningAreIgnored() {
      hbm.run(
          nop().with(1 << 2).with(1 << 3),
          fill(0, 8).toLocal(0).fromLocal(-1),
          crc32c(8).from(RAM).toLocal(-1));

      assertThat(hbm.completed()).isEqualTo(3);
    }
  }

  @Nested
  final class Errors {

    static Stream<Arguments> badDescriptors() {
      return Stream.of(
          Arguments.of("unknown opcode", Descriptor.of(5)),
          Arguments.of("negative opcode", Descriptor.of(-1)),
          Arguments.of("unknown flag", nop().with(1 << 5)),
          Arguments.of("highest flag", nop().with(1 << 31)),
          Arguments.of("last bytes not zero", nop().reserved(1)),
          Arguments.of("endless", fill(0, -1).toLocal(0)),
          Arguments.of("source wraps", copy(64).from(-63).toLocal(0)),
          Arguments.of("destination wraps", copy(64).fromLocal(0).to(-1)),
          Arguments.of("record wraps", nop().recordAt(-31)),
          Arguments.of("immediate of 0", immediate(0, 0).to(RAM)),
          Arguments.of("immediate of 5", immediate(0, 5).to(RAM)),
          Arguments.of("immediate of 16", immediate(0, 16).to(RAM)),
          Arguments.of("overlap upwards", copy(64).from(RAM).to(RAM + 63)),
          Arguments.of("overlap downwards", copy(64).from(RAM + 63).to(RAM)),
          Arguments.of("onto itself", copy(64).from(RAM).to(RAM)),
          Arguments.of("overlap in memory", copy(64).fromLocal(0).toLocal(63)));
    }

    static Stream<Arguments> outsideMemory() {
      return Stream.of(
          Arguments.of("source by one", copy(64).fromLocal(MEMORY_BYTES - 63).to(RAM)),
          Arguments.of("destination by one", copy(64).from(RAM).toLocal(MEMORY_BYTES - 63)),
          Arguments.of("far source", crc32c(1).fromLocal(Long.MIN_VALUE)),
          Arguments.of("far destination", fill(0, 1).toLocal(-1)),
          Arguments.of("longer than the memory", fill(0, Long.MAX_VALUE).toLocal(0)),
          Arguments.of("immediate", immediate(0, 8).toLocal(MEMORY_BYTES - 7)),
          Arguments.of("empty", copy(0).from(RAM).toLocal(MEMORY_BYTES + 1)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badDescriptors")
    void bad(String what, Descriptor descriptor) {
      assertFailsUntouched(descriptor, 1);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void outsideMemory(String what, Descriptor descriptor) {
      assertFailsUntouched(descriptor, 4);
    }

    /** Fails with a second descriptor behind it, which must not run. */
    private void assertFailsUntouched(Descriptor descriptor, int error) {
      byte[] memory = hbm.memory(0, MEMORY_BYTES);
      byte[] ram = hbm.ram(RAM, HbmFixture.RAM_BYTES);
      hbm.run(descriptor, fill(0, 64).toLocal(0));

      halted(error, 0);
      assertThat(hbm.memory(0, MEMORY_BYTES)).isEqualTo(memory);
      assertThat(hbm.ram(RAM, HbmFixture.RAM_BYTES)).isEqualTo(ram);
    }

    private void halted(int error, long address) {
      assertThat(hbm.state()).isEqualTo(2);
      assertThat(hbm.error()).isEqualTo(error);
      assertThat(hbm.head()).isZero();
      assertThat(hbm.completed()).isZero();
      assertThat(hbm.fault()).isEqualTo(error << 16 | 1);
      assertThat(hbm.faultAddress()).isEqualTo(address);
      assertThat(hbm.status()).isEqualTo(1 | 1 << 2);
      assertThat(hbm.host.raised()).containsExactly(1, 0);
      assertThat(hbm.host.jobsWaiting()).isZero();
    }

    @Test
    void badDescriptorStillGetsItsRecord() {
      hbm.run(Descriptor.of(9).recordAt(RECORD).tag(5));

      assertThat(hbm.record()).isEqualTo(new Completion(2, 1, 0, 0, 5));
    }

    @Test
    void readFaultTellsWhereAndHowFar() {
      hbm.host.map(0x8000_0000L, 4096);
      byte[] beyond = hbm.memory(4096, 4096);
      hbm.run(copy(8192).from(0x8000_0000L).toLocal(0).recordAt(RECORD).tag(3));

      halted(2, 0x8000_1000L);
      assertThat(hbm.record()).isEqualTo(new Completion(2, 2, 4096, 0, 3));
      assertThat(hbm.memory(0, 4096)).containsOnly(0);
      assertThat(hbm.memory(4096, 4096)).isEqualTo(beyond);
    }

    @Test
    void writeFaultTellsWhereAndHowFar() {
      hbm.host.map(0x8000_0000L, 512 << 10);
      hbm.run(fill(1, 600_000).to(0x8000_0000L).recordAt(RECORD));

      halted(3, 0x8008_0000L);
      assertThat(hbm.record()).isEqualTo(new Completion(2, 3, 512 << 10, 0, 0));
    }

    @Test
    void readFaultOfCrcHasNoResult() {
      hbm.host.map(0x8000_0000L, 300 << 10);
      hbm.run(crc32c(400 << 10).from(0x8000_0000L).recordAt(RECORD));

      halted(2, 0x8000_0000L + (300 << 10));
      assertThat(hbm.record()).isEqualTo(new Completion(2, 2, 300 << 10, 0, 0));
    }

    @Test
    void faultOfEitherSideOfClientCopy() {
      hbm.run(copy(64).from(RAM).to(UNMAPPED));
      halted(3, UNMAPPED);
    }

    @Test
    void writeToReadOnlyMappingIsWriteFault() {
      hbm.host.map(0x8000_0000L, 4096, true, false);
      hbm.run(immediate(1, 4).to(0x8000_0000L));

      halted(3, 0x8000_0000L);
    }

    @Test
    void recordThatCannotBeWrittenIsWriteFault() {
      hbm.run(fill(0, 64).toLocal(0).recordAt(UNMAPPED));

      halted(3, UNMAPPED + 4);
      assertThat(hbm.memory(0, 64)).containsOnly(0);
    }

    @Test
    void recordOfFailureThatCannotBeWrittenLeavesTheFailure() {
      hbm.run(copy(64).from(UNMAPPED).toLocal(0).recordAt(UNMAPPED + 4096));

      halted(2, UNMAPPED);
    }

    @Test
    void busMasterDisabled() {
      hbm.host.busMaster(false);
      hbm.run(nop());

      halted(6, HbmFixture.RING);
    }

    @Test
    void busMasterDisabledAfterFetch() {
      hbm.put(copy(64).from(RAM).toLocal(0));
      hbm.ring();
      hbm.host.mustWait(true);
      hbm.host.beforeTransfer(() -> hbm.host.beforeTransfer(() -> hbm.host.busMaster(false)));
      hbm.host.settle();

      halted(6, RAM);
    }

    @Test
    void ringThatCannotBeReadIsReadFault() {
      hbm.host.unmap(HbmFixture.RING);
      hbm.run(nop());

      halted(2, HbmFixture.RING);
    }

    @Test
    void ringThatEndsTooSoonRunsWhatIsThere() {
      hbm.host.unmap(HbmFixture.RING);
      // Three entries and a half; zeroed memory is NOPs.
      hbm.host.map(HbmFixture.RING, 3 * 64 + 32);
      hbm.ringDoorbell(6);
      hbm.host.settle();

      assertThat(hbm.completed()).isEqualTo(3);
      assertThat(hbm.head()).isEqualTo(3);
      assertThat(hbm.error()).isEqualTo(2);
      assertThat(hbm.faultAddress()).isEqualTo(HbmFixture.RING + 3 * 64 + 32);
    }

    @Test
    void failureStopsAtItsEntry() {
      hbm.run(nop(), nop(), Descriptor.of(7), nop());

      assertThat(hbm.head()).isEqualTo(2);
      assertThat(hbm.completed()).isEqualTo(2);
      assertThat(hbm.state()).isEqualTo(2);
      assertThat(hbm.read4(0x1000)).as("enable bit").isZero();
    }

    @Test
    void raisesVectorZeroOnceIfItIsTheChannelsToo() {
      hbm.write4(0x101c, 0);
      hbm.run(Descriptor.of(7));

      assertThat(hbm.host.raised()).containsExactly(0);
    }

    @Test
    void latchKeepsTheFirst() {
      hbm.run(copy(64).from(UNMAPPED).toLocal(0));
      hbm.enable().run(Descriptor.of(7));

      assertThat(hbm.error()).isEqualTo(1);
      assertThat(hbm.fault()).isEqualTo(2 << 16 | 1);
      assertThat(hbm.faultAddress()).isEqualTo(UNMAPPED);

      hbm.write4(0x28, 1);
      hbm.enable().run(Descriptor.of(7));
      assertThat(hbm.fault()).isEqualTo(1 << 16 | 1);
      assertThat(hbm.faultAddress()).isZero();
    }

    @Test
    void latchNamesTheChannel() {
      hbm.write8(0x1108, HbmFixture.RING);
      hbm.write4(0x1110, ENTRIES);
      hbm.write4(0x1100, 1);
      hbm.put(Descriptor.of(7));
      hbm.write4(0x8100, 1);
      hbm.host.settle();

      assertThat(hbm.fault()).isEqualTo(1 << 16 | 1 << 8 | 1);
      assertThat(hbm.host.raised()).containsExactly(2, 0);
      assertThat(hbm.state()).as("the other channel").isZero();
    }
  }
}
