package dev.peerbar.devices.ioat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.fake.FakeDevice;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.ioat.IoatChannel;
import dev.peerbar.driver.ioat.IoatDriver;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A channel by its driver: chains, errors, interrupts, suspension and resets. */
@InEveryMode
class IoatChannelTest {
  private static final long RAM = 0x4000_0000;
  private static final int RAM_BYTES = 4 << 20;
  private static final long UNMAPPED = 0xdead_0000L;
  private static final int ENTRIES = 16;
  private static final Duration LIMIT = Duration.ofSeconds(10);

  /** Of a loop's transfers, that which fetches the 34th descriptor; it is copied, and completed. */
  private static final int FETCH = 100;

  private final FakeHost host;
  private IoatDriver driver;
  private IoatChannel channel;
  private MemorySegment ram;
  private int transfers;

  IoatChannelTest(Engine.Polling polling) throws IOException {
    host = new FakeHost(new IoatEndpoint(new IoatConfig(2)), polling);
    driver = IoatDriver.of(new FakeDevice(host));
    channel = driver.channel(0, ENTRIES);
    ram = host.map(RAM, RAM_BYTES);
    byte[] bytes = new byte[RAM_BYTES];
    new Random(1).nextBytes(bytes);
    MemorySegment.copy(bytes, 0, ram, ValueLayout.JAVA_BYTE, 0, RAM_BYTES);
  }

  private byte[] bytes(long offset, int length) {
    return ram.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  /** What a driver does while its device is at work. */
  @FunctionalInterface
  private interface Deed {
    void run() throws IOException;
  }

  /** Begins a loop of copies, and does something at the beginning of one of their transfers. */
  private void amidALoop(int transfer, Deed deed) throws IOException {
    channel.begin();
    channel.memory().storeLong(IoatDescriptor.NEXT, channel.iova(0));
    channel.copy(RAM, RAM + 0x1000, 64);
    channel.issue(0xffff);
    transfers = 0;
    host.mustWait(true);
    host.beforeTransfer(() -> {
      if (++transfers == transfer) {
        ram.asSlice(0x1000, 64).fill((byte) 0);
        try {
          deed.run();
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    });
    host.settle();
  }

  /** No transfer was begun any more, and that which had been wrote nothing. */
  private void expectEnded(int transfer) throws IOException {
    host.settle();
    assertThat(transfers).isEqualTo(transfer);
    assertThat(bytes(0x1000, 64)).containsOnly(0);
    assertThat(channel.state()).isEqualTo(ChannelState.HALTED);
    assertThat(channel.errors()).isZero();
  }

  private void expectHalt(ChannelError error) throws IOException {
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.HALTED);
    assertThat(channel.errors()).isEqualTo(error.mask());
    assertThat(driver.device().readConfig(IoatRegisters.CHANERR_INT, AccessWidth.DWORD))
        .isEqualTo(error.mask());
  }

  @Test
  void anEndpointSaysWhatItIs() throws IOException {
    assertThat(driver.device().readConfig(0, AccessWidth.DWORD)).isEqualTo(0x2021_8086L);
    assertThat(driver.channels()).isEqualTo(2);
    assertThat(driver.registers().load(IoatRegisters.CBVER, AccessWidth.BYTE)).isEqualTo(0x32);
    assertThat(driver.registers().load(IoatRegisters.XFERCAP, AccessWidth.BYTE)).isEqualTo(20);
    assertThat(driver.read(IoatRegisters.DMACAPABILITY)).isEqualTo(0x40);
    assertThat(channel.state()).isEqualTo(ChannelState.HALTED);
  }

  @Test
  void aChainCopiesAndFillsInOrder() throws IOException {
    channel.begin();
    channel.copy(RAM, RAM + 0x10_0000, 1 << 20);
    channel.put(IoatDescriptor.FILL, 0, 0x1122_3344_5566_7788L, RAM + 0x20_0000, 12);
    channel.put(IoatDescriptor.COPY, IoatDescriptor.NULL, 0, 0, 1);
    byte[] source = bytes(0, 1 << 20);
    assertThat(channel.state()).isEqualTo(ChannelState.HALTED);
    channel.issue(3);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    assertThat(bytes(0x10_0000, 1 << 20)).isEqualTo(source);
    assertThat(ram.get(ValueLayout.JAVA_LONG, 0x20_0000)).isEqualTo(0x1122_3344_5566_7788L);
    assertThat(ram.get(ValueLayout.JAVA_INT, 0x20_0008)).isEqualTo(0x5566_7788);
    assertThat(channel.lastDone()).isEqualTo(channel.iova(2));
    // Only the first one asked for it.
    assertThat(channel.completion().loadLong(0)).isEqualTo(channel.iova(0));
    assertThat(channel.errors()).isZero();
  }

  @Test
  void aDescriptorThatLinksToItselfRunsAsOftenAsIsSaid() throws IOException {
    channel.begin();
    channel.memory().storeLong(IoatDescriptor.NEXT, channel.iova(0));
    channel.copy(RAM, RAM + 0x1000, 64);
    for (int round = 0; round < 3; round++) {
      channel.issue(0xffff);
      assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    }
    assertThat(bytes(0x1000, 64)).isEqualTo(bytes(0, 64));
  }

  @Test
  void aChainIsAppendedTo() throws IOException {
    channel.begin();
    for (int i = 0; i < 5 * ENTRIES; i++) {
      channel.copy(RAM + i, RAM + 0x10_0000 + i, 1);
      channel.issue(1);
      assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
      assertThat(channel.lastDone()).isEqualTo(channel.iova(i % ENTRIES));
    }
    assertThat(bytes(0x10_0000, 5 * ENTRIES)).isEqualTo(bytes(0, 5 * ENTRIES));
  }

  @ParameterizedTest
  @CsvSource({
    "0,         0xdead0000, 0x40000000, 64,      READ_DATA",
    "0,         0x40000000, 0xdead0000, 64,      WRITE_DATA",
    "0,         -16,        0x40000000, 64,      SOURCE_ADDRESS",
    "0,         0x40000000, -16,        64,      DESTINATION_ADDRESS",
    "0,         0x40000000, 0x40001000, 0,       LENGTH",
    "0,         0x40000000, 0x40001000, 1048577, LENGTH",
    "0x87,      0x40000000, 0x40001000, 64,      CONTROL",
    "0xff,      0x40000000, 0x40001000, 64,      CONTROL"
  })
  void aBadDescriptorHalts(
      String operation, String source, String destination, int size, ChannelError error)
      throws IOException {
    channel.begin();
    channel.copy(RAM, RAM + 0x1000, 64);
    channel.put(
        Integer.decode(operation),
        IoatDescriptor.COMPLETION | IoatDescriptor.INTERRUPT,
        Long.decode(source),
        Long.decode(destination),
        size);
    channel.copy(RAM, RAM + 0x2000, 64);
    byte[] untouched = bytes(0x2000, 64);
    channel.issue(3);
    expectHalt(error);
    assertThat(channel.lastDone()).isEqualTo(channel.iova(0));
    assertThat(channel.completion().loadLong(0))
        .isEqualTo(channel.iova(0) | ChannelState.HALTED.code());
    assertThat(bytes(0x2000, 64)).isEqualTo(untouched);
    // CHANCTRL did not ask for it.
    assertThat(channel.vector().drain()).isZero();

    channel.clearErrors();
    assertThat(channel.errors()).isZero();
    channel.reset();
    channel.begin();
    channel.copy(RAM, RAM + 0x2000, 64);
    channel.issue(1);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    assertThat(bytes(0x2000, 64)).isEqualTo(bytes(0, 64));
  }

  @ParameterizedTest
  @CsvSource({"0,          CHAIN_ADDRESS", "0x40000020, CHAIN_ADDRESS", "0xdead0000, NEXT_ADDRESS"})
  void aBadChainHaltsAtItsFirstDescriptor(String iova, ChannelError error) throws IOException {
    channel.begin();
    channel.beginAt(Long.decode(iova));
    channel.issue(1);
    expectHalt(error);
    assertThat(channel.lastDone()).isZero();
  }

  @ParameterizedTest
  @CsvSource({"0, NEXT_ALIGNMENT", "0x40000020, NEXT_ALIGNMENT", "0xdead0000, NEXT_ADDRESS"})
  void aBadLinkHaltsOnlyIfItIsFollowed(String link, ChannelError error) throws IOException {
    channel.begin();
    channel.copy(RAM, RAM + 0x1000, 64);
    channel.memory().storeLong(IoatDescriptor.NEXT, Long.decode(link));
    channel.issue(1);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    channel.issue(1);
    expectHalt(error);
    assertThat(channel.lastDone()).isEqualTo(channel.iova(0));
  }

  @Test
  void aCompletionThatCannotBeWrittenIsAnErrorOfItsOwn() throws IOException {
    channel.begin();
    driver.writeLong(channel.register(IoatRegisters.CHANCMP), UNMAPPED);
    channel.copy(RAM, RAM + 0x1000, 64);
    channel.issue(1);
    expectHalt(ChannelError.COMPLETION_ADDRESS);
    assertThat(channel.lastDone()).isZero();
  }

  @Test
  void interruptsComeOnceUntilTheMarkIsTaken() throws IOException {
    channel.begin();
    for (int i = 0; i < 3; i++) {
      channel.put(IoatDescriptor.COPY, IoatDescriptor.INTERRUPT, RAM, RAM + 0x1000, 64);
      channel.issue(1);
      assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    }
    assertThat(channel.vector().drain()).isEqualTo(1);
    // What came meanwhile comes now, as one.
    channel.rearm();
    assertThat(channel.vector().drain()).isEqualTo(1);
    channel.rearm();
    assertThat(channel.vector().drain()).isZero();
  }

  @Test
  void anErrorInterruptsIfItIsAskedForAndNotMasked() throws IOException {
    for (int mask : new int[] {0, ChannelError.LENGTH.mask()}) {
      channel.begin();
      channel.control(IoatRegisters.CHANCTRL_INTERRUPTED | IoatRegisters.CHANCTRL_ERROR_INTERRUPT);
      driver.write(channel.register(IoatRegisters.CHANERRMSK), mask);
      channel.copy(RAM, RAM, 0);
      channel.issue(1);
      assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.HALTED);
      assertThat(channel.vector().drain()).isEqualTo(mask == 0 ? 1 : 0);
      channel.reset();
    }
  }

  @Test
  void withoutAVectorForEachAllShareTheFirst() throws IOException {
    driver
        .registers()
        .store(IoatRegisters.INTRCTRL, AccessWidth.BYTE, IoatRegisters.INTRCTRL_MASTER);
    IoatChannel other = driver.channel(1, ENTRIES);
    other.begin();
    other.put(IoatDescriptor.COPY, IoatDescriptor.INTERRUPT, RAM, RAM + 0x1000, 64);
    other.issue(1);
    assertThat(other.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    assertThat(driver.vectors().getFirst().drain()).isEqualTo(1);
    assertThat(driver.vectors().getLast().drain()).isZero();
    assertThat(driver.registers().load(IoatRegisters.INTRCTRL, AccessWidth.BYTE)).isEqualTo(7);
    assertThat(driver.read(IoatRegisters.ATTNSTATUS)).isEqualTo(2);
    assertThat(driver.read(IoatRegisters.ATTNSTATUS)).isZero();
    assertThat(driver.registers().load(IoatRegisters.INTRCTRL, AccessWidth.BYTE)).isEqualTo(1);
  }

  @Test
  void aSuspendedChannelGoesOnOrBeginsAnotherChain() throws IOException {
    channel.begin();
    channel.copy(RAM, RAM + 0x1000, 64);
    channel.issue(1);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    channel.command(IoatRegisters.CHANCMD_SUSPEND);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.SUSPENDED);
    channel.copy(RAM, RAM + 0x2000, 64);
    byte[] untouched = bytes(0x2000, 64);
    channel.issue(1);
    assertThat(channel.state()).isEqualTo(ChannelState.SUSPENDED);
    assertThat(bytes(0x2000, 64)).isEqualTo(untouched);
    channel.command(IoatRegisters.CHANCMD_RESUME);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    assertThat(bytes(0x2000, 64)).isEqualTo(bytes(0, 64));

    channel.command(IoatRegisters.CHANCMD_SUSPEND);
    channel.begin();
    channel.copy(RAM, RAM + 0x3000, 64);
    channel.issue(1);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    assertThat(bytes(0x3000, 64)).isEqualTo(bytes(0, 64));
  }

  @ParameterizedTest
  @ValueSource(ints = {0x40, 0x80, 0x24, 0x0c})
  void aCommandThatMeansNothingHalts(int command) throws IOException {
    channel.begin();
    channel.command(command);
    expectHalt(ChannelError.COMMAND);
  }

  @Test
  void aResetOfTheChannelLeavesTheOther() throws IOException {
    IoatChannel other = driver.channel(1, ENTRIES).begin();
    channel.begin();
    channel.copy(RAM, RAM + 0x1000, 64);
    channel.issue(1);
    channel.awaitRest(LIMIT);
    channel.reset();
    assertThat(channel.state()).isEqualTo(ChannelState.HALTED);
    for (long register :
        new long[] {IoatRegisters.CHAINADDR, IoatRegisters.CHANCMP, IoatRegisters.CURDESC}) {
      assertThat(driver.readLong(channel.register(register))).isZero();
    }
    assertThat(driver.registers().load(channel.register(IoatRegisters.CHANCTRL), AccessWidth.WORD))
        .isZero();
    assertThat(driver.registers().load(channel.register(IoatRegisters.CHANCMD), AccessWidth.BYTE))
        .isZero();
    other.copy(RAM, RAM + 0x2000, 64);
    other.issue(1);
    assertThat(other.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
  }

  @ParameterizedTest
  @CsvSource({"0x20, 0", "0x20, 1", "0x20, 2", "0x08, 0", "0x08, 1", "0x08, 2"})
  void aCommandEndsALoopAmidATransfer(String code, int after) throws IOException {
    int command = Integer.decode(code);
    amidALoop(FETCH + after, () -> channel.command(command));
    expectEnded(FETCH + after);
    assertThat(driver.readLong(channel.register(IoatRegisters.CHAINADDR)))
        .isEqualTo(command == IoatRegisters.CHANCMD_ABORT ? channel.iova(0) : 0);
    channel.begin();
    channel.copy(RAM, RAM + 0x2000, 64);
    channel.issue(1);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    assertThat(bytes(0x2000, 64)).isEqualTo(bytes(0, 64));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void aResetOfTheFunctionEndsALoopAmidATransfer(int after) throws IOException {
    amidALoop(FETCH + after, () -> driver.device().reset());
    driver.config().memorySpace(true);
    expectEnded(FETCH + after);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void aSuspendedLoopStopsBetweenDescriptorsAndGoesOnToItsEnd(int after) throws IOException {
    amidALoop(FETCH + after, () -> channel.command(IoatRegisters.CHANCMD_SUSPEND));
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.SUSPENDED);
    host.settle();
    assertThat(transfers).isEqualTo(FETCH + 2);
    channel.command(IoatRegisters.CHANCMD_RESUME);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    assertThat(transfers).isEqualTo(3 * 0xffff);
  }

  @ParameterizedTest
  @CsvSource({"0, NEXT_ADDRESS", "1, COMPLETION_ADDRESS", "2, COMPLETION_ADDRESS"})
  void aLoopWhoseDescriptorAndCompletionAreTakenAwayHalts(int after, ChannelError error)
      throws IOException {
    amidALoop(FETCH + after, () -> host.unmap(channel.memory().iova()));
    expectHalt(error);
    // The last one is that of the completion word, which is tried once.
    assertThat(transfers).isEqualTo(FETCH + (after == 0 ? 1 : 2));
  }

  @Test
  void aResetForgetsAnInterruptThatWaits() throws IOException {
    channel.begin();
    for (int i = 0; i < 2; i++) {
      channel.put(IoatDescriptor.COPY, IoatDescriptor.INTERRUPT, RAM, RAM + 0x1000, 64);
      channel.issue(1);
      assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.DONE);
    }
    assertThat(channel.vector().drain()).isEqualTo(1);
    channel.reset();
    channel.rearm();
    assertThat(channel.vector().drain()).isZero();
  }

  @Test
  void aResetOfTheFunctionClearsEverything() throws IOException {
    channel.begin();
    channel.copy(RAM, UNMAPPED, 64);
    channel.issue(1);
    expectHalt(ChannelError.WRITE_DATA);
    driver.device().reset();
    driver.config().memorySpace(true);
    assertThat(channel.errors()).isZero();
    assertThat(driver.device().readConfig(IoatRegisters.CHANERR_INT, AccessWidth.DWORD)).isZero();
    assertThat(driver.registers().load(IoatRegisters.INTRCTRL, AccessWidth.BYTE)).isZero();
    assertThat(channel.state()).isEqualTo(ChannelState.HALTED);
  }

  @Test
  void withoutBusMasteringNothingIsRead() throws IOException {
    channel.begin();
    driver.config().busMaster(false);
    channel.copy(RAM, RAM + 0x1000, 64);
    channel.issue(1);
    expectHalt(ChannelError.NEXT_ADDRESS);
  }
}
