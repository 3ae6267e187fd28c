package dev.peerbar.server.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.Config;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.ConfigLayout.Express;
import dev.peerbar.pci.PcieError;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.Unpooled;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Each fault over a real socket: what a client sees of it, and that all is well afterwards. */
@Tag("polled")
@Timeout(60)
final class FaultsTest {
  private static final int ONES = -1;
  private static final int VENDOR_AND_DEVICE = 0x7032_1234;
  private static final int COMMAND = 4;
  private static final int BUS_MASTER = 4;
  private static final long NOWHERE = 0x7fff_0000_0000L;
  private static final long COPY = 4096;

  /** Long enough for a busy machine to see that something has not happened yet. */
  private static final Duration A_WHILE = Duration.ofMillis(300);

  @TempDir private Path directory;
  private Wire wire;
  private Faults faults;

  @BeforeEach
  void serve() throws Exception {
    wire = Wire.connected(directory);
    faults = wire.server().faults();
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private static <T> T get(CompletableFuture<T> answer) throws Exception {
    return answer.get(Wire.LIMIT.toSeconds(), TimeUnit.SECONDS);
  }

  private void inject(Fault fault) throws Exception {
    assertThat(get(faults.inject(fault))).isEqualTo(Faults.IN_FORCE);
  }

  private void clear() throws Exception {
    get(faults.clear());
    assertThat(get(faults.inForce())).isEmpty();
  }

  private int config(int offset) throws Exception {
    return wire.client().readInt(Wire.CONFIG, offset);
  }

  private int scratch() throws Exception {
    return wire.client().readInt(Wire.REGISTERS, Wire.SCRATCH);
  }

  private void scratch(int value) throws Exception {
    wire.client().writeInt(Wire.REGISTERS, Wire.SCRATCH, value);
  }

  private static void does(HbmChannel channel, Descriptor descriptor) throws Exception {
    channel.submit(descriptor);
    channel.awaitRest(Wire.LIMIT);
    Wire.idle(channel);
  }

  private void copies(HbmChannel channel) throws Exception {
    DmaRange memory = wire.device().allocate(2 * COPY);
    memory.fill(0, COPY, (byte) 0x5a);
    channel.restart();
    channel.run(Descriptor.copy(COPY).from(memory.iova()).to(memory.iova() + COPY).interrupt());
    assertThat(memory.read(COPY, (int) COPY)).containsOnly(0x5a);
  }

  @Test
  void aResetThatTakesLong() throws Exception {
    wire.driver();
    scratch(1);
    inject(new Fault.ResetTakes(Optional.of(A_WHILE)));
    long begin = System.nanoTime();
    wire.device().reset();
    assertThat(config(0)).isEqualTo(ONES);
    assertThat(config(COMMAND)).isEqualTo(ONES);
    assertThat(scratch()).isEqualTo(ONES);
    scratch(2);
    Wire.await("the end of the reset", () -> config(0) == VENDOR_AND_DEVICE);
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isGreaterThanOrEqualTo(A_WHILE);
    assertThat(scratch()).isZero();
    assertThat(wire.client().readInt(Wire.REGISTERS, Wire.RESET_COUNT)).isOne();
  }

  @Test
  void aResetWithoutEndEndsWithTheFault() throws Exception {
    inject(new Fault.ResetTakes(Optional.empty()));
    wire.device().reset();
    // Another fault that ends does not end it.
    inject(new Fault.InterruptsLost());
    assertThat(config(0)).isEqualTo(ONES);
    clear();
    assertThat(config(0)).isEqualTo(VENDOR_AND_DEVICE);
  }

  @Test
  void aResetWithoutEndEndsWithTheClient() throws Exception {
    inject(new Fault.ResetTakes(Optional.empty()));
    wire.device().reset();
    wire.reconnect();
    assertThat(config(0)).isEqualTo(VENDOR_AND_DEVICE);
    assertThat(get(faults.inForce())).containsExactly(new Fault.ResetTakes(Optional.empty()));
    wire.device().reset();
    assertThat(config(0)).isEqualTo(ONES);
  }

  @Test
  void aResetWithoutEndEndsWithAResetOfTheDevice() throws Exception {
    inject(new Fault.ResetTakes(Optional.empty()));
    wire.device().reset();
    wire.client().reset();
    assertThat(config(0)).isEqualTo(VENDOR_AND_DEVICE);
  }

  @Test
  void allOnes() throws Exception {
    scratch(1);
    inject(new Fault.AllOnes(true, false));
    assertThat(config(0)).isEqualTo(ONES);
    assertThat(scratch()).isOne();
    inject(new Fault.AllOnes(false, true));
    assertThat(config(0)).isEqualTo(VENDOR_AND_DEVICE);
    assertThat(scratch()).isEqualTo(ONES);
    scratch(2);
    assertThat(wire.client().readInt(Wire.MEMORY, 0)).isEqualTo(ONES);
    assertThat(get(faults.inForce())).containsExactly(new Fault.AllOnes(false, true));
    clear();
    assertThat(scratch()).isOne();
  }

  @Test
  void aChannelSticks() throws Exception {
    HbmChannel stuck = wire.channel(0);
    HbmChannel other = wire.channel(1);
    inject(new Fault.Stuck(Optional.of("channel-0")));
    stuck.submit(Descriptor.nop().interrupt());
    copies(other);
    assertThat(stuck.state()).isEqualTo(ChannelState.RUNNING);
    assertThat(stuck.interrupted()).isFalse();
    clear();
    stuck.awaitInterrupt();
    Wire.idle(stuck);
  }

  @Test
  void aStuckChannelIsAbortedAndReset() throws Exception {
    HbmChannel channel = wire.channel(0);
    inject(new Fault.Stuck(Optional.empty()));
    channel.submit(Descriptor.nop());
    channel.abort();
    assertThat(channel.state()).isEqualTo(ChannelState.ABORTED);
    channel.restart();
    channel.submit(Descriptor.nop());
    wire.device().reset();
    assertThat(channel.state()).isEqualTo(ChannelState.IDLE);
    wire.reconnect();
    clear();
    copies(wire.channel(0));
  }

  @Test
  void aServerEndsThatIsStuck() throws Exception {
    inject(new Fault.Stuck(Optional.empty()));
    wire.channel(0).submit(Descriptor.nop());
    wire.close();
    assertThatThrownBy(() -> get(faults.clear())).hasCauseInstanceOf(RuntimeException.class);
    wire = Wire.connected(directory);
  }

  @Test
  void interruptsAreLost() throws Exception {
    HbmChannel channel = wire.channel(0);
    get(faults.inject(new Fault.InterruptsLost(), Optional.empty(), 2));
    for (int i = 0; i < 2; i++) {
      does(channel, Descriptor.nop().interrupt());
    }
    // The third comes, and neither of those before it.
    channel.submit(Descriptor.nop().interrupt());
    assertThat(channel.vector().await(Wire.LIMIT)).isOne();
    assertThat(get(faults.inForce())).isEmpty();
  }

  @Test
  void interruptsAreLate() throws Exception {
    HbmChannel channel = wire.channel(0);
    get(faults.inject(new Fault.InterruptsLate(A_WHILE), Optional.empty(), 1));
    long begin = System.nanoTime();
    does(channel, Descriptor.nop().interrupt());
    assertThat(channel.vector().await(Wire.LIMIT)).isOne();
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isGreaterThanOrEqualTo(A_WHILE);
  }

  @Test
  void aResetForgetsInterruptsThatAreLate() throws Exception {
    HbmChannel channel = wire.channel(0);
    FileDescriptor event = wire.own(EventDescriptor.create());
    wire.client().setIrqEvents(PciIrq.MSIX, 1, event);
    inject(new Fault.InterruptsLate(A_WHILE));
    does(channel, Descriptor.nop().interrupt());
    wire.device().reset();
    channel.setUp();
    wire.client().setIrqEvents(PciIrq.MSIX, 1, event);
    clear();
    channel.submit(Descriptor.nop().interrupt());
    assertThat(EventDescriptor.await(event, Wire.LIMIT)).isOne();
    assertThat(EventDescriptor.await(event, A_WHILE.plus(A_WHILE))).isZero();
  }

  @Test
  void interruptsAreDoubled() throws Exception {
    HbmChannel channel = wire.channel(0);
    get(faults.inject(new Fault.InterruptsDoubled(A_WHILE), Optional.empty(), 1));
    channel.submit(Descriptor.nop().interrupt());
    assertThat(channel.vector().await(Wire.LIMIT)).isOne();
    assertThat(channel.vector().await(Wire.LIMIT)).isOne();
  }

  @Test
  void repliesAreLate() throws Exception {
    get(
        faults.inject(
            new Fault.RepliesLate(A_WHILE, Optional.of(Command.REGION_READ)), Optional.empty(), 1));
    long begin = System.nanoTime();
    scratch(3);
    assertThat(scratch()).isEqualTo(3);
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isGreaterThanOrEqualTo(A_WHILE);
    assertThat(get(faults.inForce())).isEmpty();
    wire.works();
  }

  @Test
  void aClientGoesThatWaitsForAReply() throws Exception {
    inject(new Fault.RepliesLate(A_WHILE, Optional.empty()));
    wire.client().send(Wire.message(1, Command.DEVICE_RESET.code(), 0, Unpooled.EMPTY_BUFFER));
    wire.client().close();
    clear();
    wire.reconnect();
    wire.works();
  }

  @Test
  void mappingsAreKept() throws Exception {
    HbmChannel channel = wire.channel(0);
    DmaRange memory = wire.device().allocate(COPY);
    DmaRange gone = wire.device().allocate(COPY);
    int mapped = get(holdings());
    inject(new Fault.KeepsMappings());
    wire.device().unmap(gone);
    channel.run(Descriptor.copy(COPY).from(memory.iova()).to(gone.iova()).interrupt());
    assertThat(get(holdings())).isEqualTo(mapped);
    clear();
    assertThat(get(holdings())).isEqualTo(mapped - 1);
    channel.submit(Descriptor.copy(COPY).from(memory.iova()).to(gone.iova()));
    channel.awaitRest(Wire.LIMIT);
    Wire.halted(channel, ErrorCode.WRITE_FAULT);
  }

  private CompletableFuture<Integer> holdings() throws Exception {
    return CompletableFuture.completedFuture(wire.server().holdings().dmaMappings());
  }

  @Test
  void busMasterIsIgnored() throws Exception {
    HbmChannel channel = wire.channel(0);
    inject(new Fault.IgnoresBusMaster());
    wire.client().writeInt(Wire.CONFIG, COMMAND, config(COMMAND) & 0xffff & ~BUS_MASTER);
    does(channel, Descriptor.nop());
    clear();
    channel.submit(Descriptor.nop());
    channel.awaitRest(Wire.LIMIT);
    Wire.halted(channel, ErrorCode.BUS_MASTER_DISABLED);
  }

  @Test
  void errorsAreShownAndTold() throws Exception {
    FileDescriptor event = wire.own(EventDescriptor.create());
    int express = new Config(wire.device()).capability(Express.ID);
    assertThat(get(faults.inject(new Fault.Error(PcieError.CORRECTABLE)))).contains("config space");
    assertThat(get(faults.inject(new Fault.Error(PcieError.FATAL)))).contains("nobody wants");
    wire.client().setIrqEvents(PciIrq.ERROR, 0, event);
    assertThat(get(faults.inject(new Fault.Error(PcieError.FATAL))))
        .contains("the client was told");
    assertThat(EventDescriptor.await(event, Wire.LIMIT)).isOne();
    int status = config(express + Express.DEVICE_CONTROL) >>> 16;
    assertThat(status)
        .isEqualTo(PcieError.CORRECTABLE.deviceStatus() | PcieError.FATAL.deviceStatus());
  }

  @Test
  void strayWrites() throws Exception {
    wire.channel(0);
    DmaRange memory = wire.device().allocate(COPY);
    memory.fill(0, COPY, (byte) 1);
    assertThat(get(faults.inject(new Fault.StrayWrite(NOWHERE, true))))
        .isEqualTo("refused by the endpoint: " + Reason.UNMAPPED);
    assertThat(get(faults.inject(new Fault.StrayWrite(memory.iova(), true)))).isEqualTo("written");
    assertThat(memory.read(0, 9)).containsExactly(0, 0, 0, 0, 0, 0, 0, 0, 1);
    wire.client().close();
    Wire.await("no client", () -> wire.server().holdings().dmaMappings() == 0);
    assertThat(get(faults.inject(new Fault.StrayWrite(NOWHERE, false))))
        .isEqualTo("there is no client");
  }

  @Test
  void aTimeEndsAFault() throws Exception {
    get(faults.inject(new Fault.AllOnes(true, true), Optional.of(A_WHILE), Faults.ALWAYS));
    Wire.await("the end of the fault", () -> scratch() != ONES);
    assertThat(get(faults.inForce())).isEmpty();
  }

  @Test
  void anOldTimeEndsNoNewFault() throws Exception {
    Fault fault = new Fault.AllOnes(true, true);
    get(faults.inject(fault, Optional.of(Duration.ofMillis(50)), Faults.ALWAYS));
    inject(fault);
    get(faults.inject(new Fault.InterruptsLost(), Optional.of(A_WHILE), Faults.ALWAYS));
    Wire.await("the end of the other", () -> get(faults.inForce()).size() == 1);
    assertThat(get(faults.inForce())).isEqualTo(List.of(fault));
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    assertThatThrownBy(() -> faults.inject(new Fault.Stuck(Optional.empty()), Optional.empty(), 2))
        .hasMessage("stuck has no number of times: give it a time, or clear it");
    assertThatThrownBy(() ->
            faults.inject(new Fault.Error(PcieError.FATAL), Optional.of(A_WHILE), Faults.ALWAYS))
        .hasMessage("error=fatal happens once, for no time and no number of times");
    assertThatThrownBy(() -> faults.inject(new Fault.InterruptsLost(), Optional.empty(), 0))
        .hasMessage("a fault happens once at least");
  }

  @Test
  void withoutFaultsTheClientMeetsTheRegionsThemselves() throws Exception {
    // That there are no faults is what costs nothing: the client meets the regions themselves.
    List<?> before = wire.server().function().regions();
    inject(new Fault.AllOnes(true, true));
    assertThat(wire.server().function().regions()).isNotSameAs(before);
    clear();
    assertThat(wire.server().function().regions()).isSameAs(before);
    assertThat(wire.client().readInt(Wire.REGISTERS, HbmRegisters.ID)).isEqualTo(Wire.ID_VALUE);
  }
}
