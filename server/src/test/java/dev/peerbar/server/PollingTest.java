package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.nvme.Doorbells;
import dev.peerbar.driver.nvme.NvmeBuffer;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.nvme.ShadowDoorbells;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.driver.socket.SocketDevice.Access;
import dev.peerbar.driver.socket.SocketDevice.Reach;
import dev.peerbar.linux.CpuAffinity;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.server.fault.Fault;
import dev.peerbar.server.fault.Faults;
import dev.peerbar.server.fixture.LoopThread;
import dev.peerbar.server.fixture.NvmeWire;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.fixture.WithheldMemory;
import dev.peerbar.server.storage.HostMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What is said of endpoints that are polled, and of those whose doorbells are mapped. All else is
 * the same for every endpoint: tests with the tag {@code polled} say so.
 */
@Timeout(120)
final class PollingTest {
  /** More of a processor than a thread takes that only looks now and then. */
  private static final double IDLE = 0.05;

  /** Fewer sleeps in a while than such a thread has; the JVM may stop one that has none. */
  private static final long SLEEPS = 10;

  private static final Duration A_WHILE = Duration.ofSeconds(1);

  /** Of a copy that is not too long for the function's thread. */
  private static final int SHORT = 64 << 10;

  private static final int LONG = 1 << 20;

  /** How the function's thread waits. */
  private enum Mode {
    ALWAYS(Optional.of(Polling.ALWAYS)),
    UNTIL_IDLE(Optional.of(Polling.ALWAYS.until(Duration.ofMillis(2)))),
    BRIEFLY(Optional.empty());

    private final Optional<Polling> polling;

    Mode(Optional<Polling> polling) {
      this.polling = polling;
    }

    ServerOptions options() {
      return polling.map(ServerOptions.DEFAULT::withPolling).orElse(ServerOptions.DEFAULT);
    }
  }

  @TempDir private Path directory;
  private Wire wire;

  @AfterEach
  void stop() {
    if (wire != null) {
      wire.close();
    }
  }

  private void serve(ServerOptions options) throws IOException {
    wire = Wire.connected(directory, Wire.config(DoorbellMode.MAP), options);
  }

  private HbmChannel channel(int index, Access access) throws IOException {
    wire.device().accessBar(HbmRegisters.BAR, access);
    return wire.channel(index);
  }

  /** A copy of some bytes to others. */
  private Descriptor copy(int length) throws IOException {
    DmaRange from = wire.device().allocate(length);
    DmaRange to = wire.device().allocate(length);
    return Descriptor.copy(length).from(from.iova()).to(to.iova());
  }

  private static Stream<Arguments> everyWayToRing() {
    return Arrays.stream(Mode.values())
        .flatMap(mode ->
            Stream.of(Access.MESSAGES, Access.SHARED).map(access -> Arguments.of(mode, access)));
  }

  @ParameterizedTest
  @MethodSource("everyWayToRing")
  void shortWorkIsDoneByTheThreadThatLearnsOfIt(Mode mode, Access access) throws Exception {
    serve(mode.options());
    HbmChannel channel = channel(0, access);
    Set<String> threads = threadsOf(channel, copy(64));
    boolean received = mode == Mode.BRIEFLY && access == Access.MESSAGES;
    assertThat(threads)
        .allMatch(name -> received ? name.startsWith("hbm-client-") : LoopThread.isOf("hbm", name));
  }

  @ParameterizedTest
  @EnumSource
  void longWorkIsLeftToTheEngine(Mode mode) throws Exception {
    serve(mode.options());
    HbmChannel channel = channel(1, Access.SHARED);
    assertThat(threadsOf(channel, copy(LONG)))
        .noneMatch(name -> LoopThread.isOf("hbm", name) || name.startsWith("hbm-client-"));
  }

  /** Which threads moved data for a descriptor that is run some times. */
  private Set<String> threadsOf(HbmChannel channel, Descriptor descriptor) throws Exception {
    channel.run(descriptor.interrupt());
    Path file = directory.resolve("recording.jfr");
    try (Recording recording = new Recording()) {
      recording.enable("dev.peerbar.DmaTransfer");
      recording.start();
      for (int time = 0; time < 5; time++) {
        channel.run(descriptor.interrupt());
      }
      // What follows the last signal is over once this is answered.
      wire.works();
      recording.dump(file);
    }
    Set<String> threads =
        RecordingFile.readAllEvents(file).stream()
            .filter(event -> event.getEventType().getName().equals("dev.peerbar.DmaTransfer"))
            .filter(event -> event.getString("access").equals("COPY"))
            .map(event -> event.getThread().getJavaName())
            .collect(Collectors.toSet());
    assertThat(threads).isNotEmpty();
    return threads;
  }

  @ParameterizedTest
  @EnumSource
  void othersAreAnsweredWhileThereIsAlwaysMoreToDo(Mode mode) throws Exception {
    serve(mode.options());
    Stream<HbmChannel> channels = Stream.of(channel(0, Access.SHARED), channel(1, Access.SHARED));
    List<Future<Long>> streams = new ArrayList<>();
    Descriptor copy = copy(SHORT);
    for (HbmChannel channel : channels.toList()) {
      streams.add(CompletableFuture.supplyAsync(() -> stream(channel, copy, A_WHILE)));
    }
    while (!streams.stream().allMatch(Future::isDone)) {
      wire.works();
      assertThatThrownBy(() -> wire.connect().close()).isInstanceOf(RemoteErrorException.class);
    }
    for (Future<Long> stream : streams) {
      assertThat(stream.get()).as("rounds").isPositive();
    }
  }

  /** Keeps a channel busy for some time. Returns how often its ring was filled. */
  private static long stream(HbmChannel channel, Descriptor descriptor, Duration time) {
    long end = System.nanoTime() + time.toNanos();
    long rounds = 0;
    try {
      for (; System.nanoTime() - end < 0; rounds++) {
        Descriptor[] all = new Descriptor[Wire.ENTRIES - 1];
        Arrays.fill(all, descriptor);
        all[all.length - 1] = descriptor.interrupt();
        channel.submit(all);
        channel.awaitInterrupt();
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return rounds;
  }

  @Test
  void longCopiesKeepNoRegisterWaiting() throws Exception {
    serve(Mode.ALWAYS.options());
    HbmChannel channel = channel(0, Access.SHARED);
    Descriptor[] all = new Descriptor[8];
    Arrays.fill(all, copy(64 << 20));
    channel.submit(all);
    // A thread that copies answers nothing before the end.
    wire.works();
    assertThat(channel.state()).isEqualTo(ChannelState.RUNNING);
    assertThat(channel.awaitRest(Wire.LIMIT)).isEqualTo(ChannelState.IDLE);
  }

  @Test
  void memoryThatIsAskedForKeepsNobodyWaiting() throws Exception {
    wire = Wire.twinned(directory, Wire.config(DoorbellMode.MAP), Mode.ALWAYS.options());
    HbmChannel channel = channel(0, Access.SHARED);
    HbmChannel other = channel(1, Access.SHARED);
    final long distant = 1L << 40;
    MemorySegment memory = Arena.ofAuto().allocate(SHORT).fill((byte) 7);
    wire.client().memory().put(distant, memory);
    wire.client().dmaMap(Wire.READ_WRITE, 0, distant, SHORT, Optional.empty());
    WithheldMemory withheld = new WithheldMemory(wire.client().memory(), distant);
    wire.client().serveDma(withheld);
    DmaRange to = wire.device().allocate(SHORT);
    channel.submit(Descriptor.copy(SHORT).from(distant).to(to.iova()).interrupt());
    withheld.awaitAsked();
    for (int time = 0; time < 100; time++) {
      other.run(Descriptor.nop().interrupt());
    }
    assertThat(channel.state()).isEqualTo(ChannelState.RUNNING);
    withheld.letGo();
    channel.awaitInterrupt();
    assertThat(to.read(0, SHORT)).containsOnly(7);
    // The next one, of other memory, is the polling thread's again.
    assertThat(threadsOf(channel, copy(64))).allMatch(name -> LoopThread.isOf("hbm", name));
  }

  @ParameterizedTest
  @EnumSource(names = {"UNTIL_IDLE", "BRIEFLY"})
  void itSleepsWithoutWorkAndWakesForIt(Mode mode) throws Exception {
    serve(mode.options());
    HbmChannel stores = channel(0, Access.SHARED);
    HbmChannel messages = channel(1, Access.MESSAGES);
    LoopThread thread = LoopThread.of("hbm");
    for (HbmChannel channel : List.of(stores, messages, stores)) {
      channel.run(copy(64).interrupt());
      thread.awaitSleep();
      assertThat(thread.use(A_WHILE)).isLessThan(IDLE);
      channel.run(copy(64).interrupt());
    }
    thread.awaitSleep();
    wire.works();
  }

  @Test
  void itNeverSleepsUnlessItMay() throws Exception {
    serve(Mode.ALWAYS.options());
    channel(0, Access.SHARED).run(Descriptor.nop().interrupt());
    neverSleeps(LoopThread.of("hbm"));
  }

  /** It has of a busy machine what it can get. */
  private static void neverSleeps(LoopThread thread) throws Exception {
    long before = thread.sleeps();
    assertThat(thread.use(A_WHILE)).isGreaterThan(0.001);
    assertThat(thread.sleeps() - before).isLessThan(SLEEPS);
  }

  @Test
  void itSleepsWhileThereIsNoClient() throws Exception {
    serve(Mode.ALWAYS.options());
    LoopThread thread = LoopThread.of("hbm");
    wire.client().close();
    thread.awaitSleep();
    assertThat(thread.use(A_WHILE)).isLessThan(IDLE);
    wire.reconnect();
    channel(0, Access.SHARED).run(Descriptor.nop().interrupt());
    neverSleeps(thread);
  }

  /** The documented bound, and what a busy machine adds. */
  @Test
  void aStoreIsSeenSoonerIfTheLastIsNotLongAgo() throws Exception {
    serve(Mode.BRIEFLY.options());
    HbmChannel channel = channel(0, Access.SHARED);
    Duration pause = Duration.ofMillis(10);
    long[] nanos = new long[51];
    for (int round = 0; round < nanos.length; round++) {
      // The time since the last one.
      Thread.sleep(pause);
      int entry = channel.prepare(Descriptor.nop());
      channel.ring();
      long begin = System.nanoTime();
      Wire.await("a record", () -> channel.head() != entry);
      nanos[round] = System.nanoTime() - begin;
    }
    Arrays.sort(nanos);
    assertThat(Duration.ofNanos(nanos[nanos.length / 2])).isLessThan(pause);
  }

  @ParameterizedTest
  @EnumSource
  void shadowsThatAreArmedWakeIt(Mode mode) throws Exception {
    try (NvmeWire nvme =
        new NvmeWire(
            directory.resolve("nvme.sock"),
            NvmeWire.config(DoorbellMode.MAP, NvmeWire.CMB_SIZE),
            HostMemory.storage(NvmeWire.STORAGE_SIZE),
            mode.options())) {
      NvmeDriver driver = nvme.start(Reach.DIRECTLY);
      ShadowDoorbells shadow = driver.ringByShadows();
      NvmeQueue queue = driver.createQueue(1, 64);
      NvmeBuffer data = driver.buffer(4096);
      LoopThread thread = LoopThread.of("nvme");
      for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
          queue.succeed(NvmeWire.read(i, data));
        }
        if (mode == Mode.ALWAYS) {
          continue;
        }
        thread.awaitSleep();
        long rings = shadow.rings();
        queue.succeed(NvmeWire.read(0, data));
        assertThat(shadow.rings()).as("told to ring before it slept").isGreaterThan(rings);
      }
      if (mode == Mode.ALWAYS) {
        assertThat(shadow.rings()).as("nobody need ring for who looks").isLessThan(20);
      }
    }
  }

  /** A register, and what was stored to it last. */
  private static final class LastRung implements Doorbells {
    private final Doorbells registers;
    private int tail = -1;

    LastRung(Doorbells registers) {
      this.registers = registers;
    }

    @Override
    public void tail(int queue, int value) throws IOException {
      tail = value;
      registers.tail(queue, value);
    }

    @Override
    public void head(int queue, int value) throws IOException {
      registers.head(queue, value);
    }
  }

  /** Its driver rings only if it is told to, and the queue has gone round since it did so last. */
  @Test
  void aStoreOfTheSameValueWakesIt() throws Exception {
    final int entries = 4;
    try (NvmeWire nvme =
        new NvmeWire(
            directory.resolve("nvme.sock"),
            NvmeWire.config(DoorbellMode.MAP, NvmeWire.CMB_SIZE),
            HostMemory.storage(NvmeWire.STORAGE_SIZE),
            ServerOptions.DEFAULT.withPolling(Polling.ALWAYS.until(Duration.ofMillis(20))))) {
      SocketDevice device = nvme.own(new SocketDevice(nvme.client()));
      device.accessBar(NvmeRegisters.BAR, Access.SHARED);
      NvmeDriver driver = NvmeWire.start(NvmeWire.driver(device));
      ShadowDoorbells made = driver.ringByShadows();
      NvmeQueue queue = driver.createQueue(1, entries);
      LastRung rung = new LastRung(new Doorbells.Registers(driver.registers()));
      queue.ringBy(new ShadowDoorbells(made.shadows(), made.events(), rung));
      NvmeBuffer data = driver.buffer(4096);
      LoopThread thread = LoopThread.of("nvme");
      for (int round = 0; round < 5; round++) {
        // It looks meanwhile, and is not rung for for most of these.
        int commands = 0;
        do {
          queue.succeed(NvmeWire.read(0, data));
          assertThat(++commands).as("commands").isLessThan(100_000);
        } while ((queue.tail() + 1) % entries != rung.tail);
        thread.awaitSleep();
        queue.put(NvmeWire.read(0, data));
        queue.ring();
        assertThat(rung.tail).isEqualTo(queue.tail());
        assertThat(queue.await(Wire.LIMIT).status()).isEqualTo(Status.SUCCESS);
      }
    }
  }

  @Test
  void itStaysOnItsProcessorAndEnginesDoNot() throws Exception {
    BitSet allowed = CpuAffinity.ofCallingThread();
    assumeTrue(allowed.cardinality() > 1, "one processor");
    int last = allowed.length() - 1;
    serve(ServerOptions.DEFAULT.withPolling(Polling.ALWAYS.on(last)));
    HbmChannel channel = channel(0, Access.SHARED);
    channel.run(copy(LONG).interrupt());
    String own = LoopThread.of("hbm").thread().getName();
    assertThat(LoopThread.processors(own)).containsExactly(Integer.toString(last));
    // The engine that has just copied.
    assertThat(LoopThread.processors("hbm-channel-0")).containsExactly(LoopThread.processors());
  }

  @ParameterizedTest
  @EnumSource
  void aClientMayGoAmidItsWork(Mode mode) throws Exception {
    serve(mode.options());
    for (int client = 0; client < 20; client++) {
      HbmChannel channel = channel(0, Access.SHARED);
      channel.run(copy(64).interrupt());
      Descriptor[] all = new Descriptor[Wire.ENTRIES - 1];
      Arrays.fill(all, copy(SHORT));
      channel.submit(all);
      wire.reconnect();
    }
    wire.works();
  }

  @ParameterizedTest
  @EnumSource
  void aServerEndsAmidWork(Mode mode) throws Exception {
    serve(mode.options());
    HbmChannel channel = channel(0, Access.SHARED);
    Thread thread = LoopThread.of("hbm").thread();
    channel.run(copy(64).interrupt());
    Descriptor[] all = new Descriptor[Wire.ENTRIES - 1];
    Arrays.fill(all, copy(SHORT));
    channel.submit(all);
    wire.server().close();
    assertThat(thread.join(Wire.LIMIT)).as("its thread has ended").isTrue();
    wire.closed();
  }

  @ParameterizedTest
  @EnumSource
  void whatSticksIsNotItsThread(Mode mode) throws Exception {
    serve(mode.options());
    HbmChannel channel = channel(0, Access.SHARED);
    HbmChannel other = channel(1, Access.SHARED);
    Faults faults = wire.server().faults();
    faults
        .inject(new Fault.Stuck(Optional.of("channel-0")))
        .get(Wire.LIMIT.toSeconds(), TimeUnit.SECONDS);
    channel.submit(copy(64).interrupt());
    for (int time = 0; time < 20; time++) {
      other.run(copy(64).interrupt());
      wire.works();
    }
    assertThat(channel.state()).isEqualTo(ChannelState.RUNNING);
    faults.clear().get(Wire.LIMIT.toSeconds(), TimeUnit.SECONDS);
    channel.awaitInterrupt();
    channel.run(copy(64).interrupt());
  }

  /** What ends the right to touch memory. */
  private enum Revocation {
    UNMAP,
    BUS_MASTER_OFF,
    FUNCTION_LEVEL_RESET,
    DEVICE_RESET
  }

  private static Stream<Arguments> everyRevocation() {
    return Arrays.stream(Mode.values())
        .flatMap(mode -> Arrays.stream(Revocation.values()).map(kind -> Arguments.of(mode, kind)));
  }

  @ParameterizedTest
  @MethodSource("everyRevocation")
  void nothingLandsAfterTheReply(Mode mode, Revocation revocation) throws Exception {
    serve(mode.options());
    SocketDevice device = wire.device().accessBar(HbmRegisters.BAR, Access.SHARED);
    HbmChannel channel = wire.channel(0);
    DmaRange from = device.allocate(SHORT);
    DmaRange to = device.allocate(SHORT);
    from.fill(0, SHORT, (byte) 1);
    MemorySegment target = to.segment();
    Descriptor[] all = new Descriptor[Wire.ENTRIES - 1];
    Arrays.fill(all, Descriptor.copy(SHORT).from(from.iova()).to(to.iova()));
    for (int round = 0; round < 40; round++) {
      target.fill((byte) 0);
      channel.submit(all);
      Wire.await("a copy", () -> to.read(0, 1)[0] != 0);
      switch (revocation) {
        case UNMAP -> device.unmap(to);
        case BUS_MASTER_OFF -> channel.driver().config().busMaster(false);
        case FUNCTION_LEVEL_RESET -> device.reset();
        case DEVICE_RESET -> wire.client().reset();
      }
      target.fill((byte) 2);
      for (int read = 0; read < 20; read++) {
        wire.works();
      }
      assertThat(to.read(0, SHORT)).as("round %d", round).containsOnly(2);
      wire.client().reset();
      if (revocation == Revocation.UNMAP) {
        device.mapAgain(to);
      }
      channel.setUp();
    }
  }
}
