package dev.peerbar.server.function;

import static dev.peerbar.protocol.MigrationState.State.PRE_COPY;
import static dev.peerbar.protocol.MigrationState.State.RESUMING;
import static dev.peerbar.protocol.MigrationState.State.RUNNING;
import static dev.peerbar.protocol.MigrationState.State.STOP;
import static dev.peerbar.protocol.MigrationState.State.STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.MigrationState;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.StateStream;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.fixture.WithheldMemory;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An HBM endpoint at work moves to a second server, and the work goes on there. */
@Tag("polled")
class HbmMigrationTest {
  private static final long RAM = 0x4000_0000L;
  private static final int RAM_BYTES = 1 << 20;
  private static final long RECORDS = 0x7000_0000L;
  private static final int RECORD_BYTES = 32;
  private static final int RECORD_RESULT = 16;

  /** Memory that the source's client withholds, after as much that is shared with the server. */
  private static final long FAR = 0x20_0000_0000L;

  /** A sum of both begins with pieces that are read at once. */
  private static final int FAR_BYTES = 1 << 20;

  private static final int ROUNDS = 400;
  private static final int PIECE = 1 << 16;
  private static final int[] ODD_SIZES = {1, 3, 7, 61, 1021, 4099, 65521};
  private static final long FAULT_ADDR = 0x20;
  private static final long FAULT = 0x28;

  @TempDir Path directory;
  private Wire source;
  private Wire target;
  private GuestMemory ram;
  private GuestMemory records;
  private GuestMemory shared;
  private GuestMemory far;
  private WithheldMemory withheld;

  private void serve(HbmConfig config) throws Exception {
    source = Wire.twinned(Files.createDirectory(directory.resolve("source")), config);
    target = Wire.connected(Files.createDirectory(directory.resolve("target")), config);
    ram = source.memory(RAM_BYTES).randomise(1);
    records = source.memory(GuestMemory.PAGE);
    shared = source.memory(FAR_BYTES).randomise(3);
    far = source.memory(FAR_BYTES).randomise(4);
    withheld = new WithheldMemory(source.client().memory());
    source.client().serveDma(withheld);
    attach(source.client());
  }

  private void serve(DoorbellMode doorbells) throws Exception {
    serve(Wire.config(doorbells));
  }

  @AfterEach
  void stop() {
    withheld.letGo();
    target.close();
    source.close();
  }

  private void attach(VfioUserClient client) throws IOException {
    client.dmaMap(Wire.READ_WRITE, 0, RAM, RAM_BYTES, Optional.of(ram.file()));
    client.dmaMap(Wire.READ_WRITE, 0, RECORDS, GuestMemory.PAGE, Optional.of(records.file()));
    client.dmaMap(Wire.READ_WRITE, 0, FAR - FAR_BYTES, FAR_BYTES, Optional.of(shared.file()));
    client.memory().put(FAR, far.bytes());
    client.dmaMap(Wire.READ_WRITE, 0, FAR, FAR_BYTES, Optional.empty());
  }

  private static long record(int index) {
    return RECORDS + (long) index * RECORD_BYTES;
  }

  private int status(int record) {
    return records.bytes().get(GuestMemory.INT, (long) record * RECORD_BYTES);
  }

  /** From STOP_COPY here to STOP there. */
  private void move() throws IOException {
    byte[] stream = StateStream.read(source.client(), PIECE);
    target.client().migrateTo(RESUMING);
    StateStream.write(target.client(), stream, ODD_SIZES);
    target.client().migrateTo(STOP);
  }

  private static byte[] bytes(MemorySegment memory, long offset, long length) {
    return memory.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  private byte[] ram(long offset, long length) {
    return bytes(ram.bytes(), offset, length);
  }

  private static void equalRegisters(VfioUserClient one, VfioUserClient other) throws IOException {
    assertThat(other.regionRead(Wire.CONFIG, 0, 4096))
        .isEqualTo(one.regionRead(Wire.CONFIG, 0, 4096));
    assertThat(other.regionRead(Wire.MSIX, 0, 4096)).isEqualTo(one.regionRead(Wire.MSIX, 0, 4096));
    assertThat(other.regionRead(Wire.MSIX, 0x2000, 8))
        .isEqualTo(one.regionRead(Wire.MSIX, 0x2000, 8));
    for (long at = 0; at < 0x2000; at += Integer.BYTES) {
      assertThat(other.readInt(Wire.REGISTERS, at))
          .as("register 0x%x", at)
          .isEqualTo(one.readInt(Wire.REGISTERS, at));
    }
  }

  private int sum() {
    CRC32C sum = new CRC32C();
    sum.update(shared.bytes().asByteBuffer());
    sum.update(far.bytes().asByteBuffer());
    return (int) sum.getValue();
  }

  @ParameterizedTest
  @EnumSource
  void aRingHalfDoneIsFinishedThere(DoorbellMode doorbells) throws Exception {
    serve(doorbells);
    HbmChannel channel = source.channel(0);
    channel.submit(
        Descriptor.copy(0x8000).from(RAM).toLocal(0x1000).recordAt(record(0)),
        Descriptor.copy(0x8000).fromLocal(0x1000).to(RAM + 0x8_0000).recordAt(record(1)),
        Descriptor.crc32c(2 * FAR_BYTES).from(FAR - FAR_BYTES).recordAt(record(2)),
        Descriptor.copy(0x8000).from(RAM + 0x1_0000).toLocal(0x4_0000).recordAt(record(3)),
        Descriptor.copy(0x8000)
            .fromLocal(0x1000)
            .to(RAM + 0x9_0000)
            .recordAt(record(4))
            .interrupt());
    withheld.awaitAsked();

    source.client().migrateTo(STOP);
    assertThat(channel.head()).isEqualTo(2);
    assertThat(channel.completed()).isEqualTo(2);
    assertThat(channel.state()).isEqualTo(ChannelState.RUNNING);
    source.client().migrateTo(STOP_COPY);
    move();
    equalRegisters(source.client(), target.client());
    assertThat(target.client().regionRead(Wire.MEMORY, 0, RAM_BYTES))
        .isEqualTo(source.client().regionRead(Wire.MEMORY, 0, RAM_BYTES));
    assertThat(status(2)).as("nothing runs without being told to").isZero();

    source.device().moveTo(target.client());
    attach(target.client());
    assertThat(channel.interrupted()).isFalse();
    target.client().migrateTo(RUNNING);
    channel.awaitInterrupt();
    assertThat(channel.head()).isEqualTo(5);
    assertThat(channel.completed()).isEqualTo(5);
    Wire.idle(channel);
    for (int i = 0; i < 5; i++) {
      assertThat(status(i)).as("record %d", i).isEqualTo(1);
    }
    assertThat(records.bytes().get(GuestMemory.INT, 2 * RECORD_BYTES + RECORD_RESULT))
        .isEqualTo(sum());
    assertThat(target.client().regionRead(Wire.MEMORY, 0x4_0000, 0x8000))
        .isEqualTo(ram(0x1_0000, 0x8000));
    assertThat(ram(0x9_0000, 0x8000)).as("of memory that moved").isEqualTo(ram(0, 0x8000));
    assertThat(source.client().readInt(Wire.REGISTERS, 0x1014)).as("HEAD here").isEqualTo(2);
    channel.run(Descriptor.nop().interrupt());
  }

  @Test
  void whatHasACompletionRecordCountsAndNothingElse() throws Exception {
    serve(DoorbellMode.TRAP);
    HbmChannel channel = source.channel(0);
    for (int place = 0; place < Wire.ENTRIES - 1; place++) {
      submitWithheld(channel, 0x1_0000, place);
      withheld.awaitAsked();
      source.client().migrateTo(STOP);
      assertThat(stoppedAt(channel)).isEqualTo(place);
      finish(channel);
    }
  }

  /**
   * The stop comes as soon as a record is seen, which may be before the engine has counted it. The
   * last entry is surely not complete, so that there is always something to stop.
   */
  @Test
  void aRecordThatIsSeenCountsHoweverSoonTheStopComes() throws Exception {
    serve(DoorbellMode.TRAP);
    HbmChannel channel = source.channel(0);
    int last = Wire.ENTRIES - 2;
    for (int round = 0; round < ROUNDS; round++) {
      int seen = round % last;
      submitWithheld(channel, 64L << round % 11, last);
      awaitRecord(seen);
      source.client().migrateTo(STOP);
      assertThat(stoppedAt(channel)).isBetween(seen + 1, last);
      finish(channel);
    }
  }

  /** Fills the ring with copies, one of which needs what is withheld. */
  private void submitWithheld(HbmChannel channel, long length, int place) throws IOException {
    records.bytes().fill((byte) 0);
    withheld.hold();
    Descriptor[] entries = new Descriptor[Wire.ENTRIES - 1];
    for (int i = 0; i < entries.length; i++) {
      entries[i] =
          Descriptor.copy(length).from(i == place ? FAR : RAM).toLocal(0).recordAt(record(i));
    }
    channel.submit(entries);
  }

  /** Waits without a pause. */
  private void awaitRecord(int index) {
    VarHandle status = GuestMemory.INT.varHandle();
    long deadline = System.nanoTime() + Wire.LIMIT.toNanos();
    while ((int) status.getAcquire(records.bytes(), (long) index * RECORD_BYTES) == 0) {
      assertThat(System.nanoTime()).as("record %d", index).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  /** How many entries are complete; HEAD says so too, and so do the records. */
  private int stoppedAt(HbmChannel channel) throws IOException {
    int done = (int) channel.completed();
    assertThat(channel.head()).isEqualTo(done);
    for (int i = 0; i < Wire.ENTRIES - 1; i++) {
      assertThat(status(i)).as("record %d, %d completed", i, done).isEqualTo(i < done ? 1 : 0);
    }
    return done;
  }

  private void finish(HbmChannel channel) throws Exception {
    source.client().migrateTo(RUNNING);
    withheld.letGo();
    Wire.await("the rest", () -> channel.completed() == Wire.ENTRIES - 1);
    Wire.idle(channel);
    assertThat(stoppedAt(channel)).isEqualTo(Wire.ENTRIES - 1);
    channel.restart();
  }

  @Test
  void stoppingDoesNotWaitForTheClient() throws Exception {
    serve(DoorbellMode.TRAP);
    HbmChannel channel = source.channel(0);
    source.client().close();
    // A client of one thread, as QEMU is: while it waits for one reply it answers nothing.
    FileDescriptor connection = UnixSocket.connect(source.path(), Wire.LIMIT);
    try (MessageSocket single = new MessageSocket(connection);
        GuestMemory ring = new GuestMemory("ring", GuestMemory.PAGE)) {
      Descriptor.copy(64).from(RAM).toLocal(0).interrupt().put(ring.bytes(), 0);
      call(single, Command.VERSION, new Version.Request(0, 1, Wire.capabilities())).release();
      dmaMap(single, Wire.RING, Optional.of(ring.file()));
      dmaMap(single, RAM, Optional.empty());
      write(single, 0x1000, 0);
      write(single, 0x1000, 1);
      write(single, HbmRegisters.doorbell(0), 1);
      Frame asked = single.receive(Wire.LIMIT);
      assertThat(asked.header().knownCommand()).contains(Command.DMA_READ);
      asked.release();
      Frame stopped = call(single, Command.DEVICE_FEATURE, setting(STOP));
      assertThat(stopped.header().error()).isFalse();
      stopped.release();
      // The answer comes when nobody waits for it.
      single.send(
          Frame.reply(
              asked.header(),
              new DmaRead.Reply(RAM, Unpooled.wrappedBuffer(new byte[64])),
              ByteBufAllocator.DEFAULT),
          Wire.LIMIT);
      call(single, Command.DEVICE_FEATURE, setting(RUNNING)).release();
      Frame again = single.receive(Wire.LIMIT);
      assertThat(again.header().knownCommand()).as("it runs again").contains(Command.DMA_READ);
      again.release();
    }
    assertThat(channel.interrupted()).isFalse();
  }

  private static Payload setting(MigrationState.State state) {
    return new DeviceFeature.Request(
        64,
        DeviceFeature.Feature.MIG_DEVICE_STATE.index() | DeviceFeature.SET,
        Wire.bytes(new MigrationState(state, -1)));
  }

  private static void dmaMap(MessageSocket socket, long iova, Optional<FileDescriptor> file)
      throws IOException {
    call(
            socket,
            Command.DMA_MAP,
            new DmaMap.Request(Wire.READ_WRITE, 0, iova, GuestMemory.PAGE),
            file.stream().toArray(FileDescriptor[]::new))
        .release();
  }

  private static void write(MessageSocket socket, long register, int value) throws IOException {
    call(
            socket,
            Command.REGION_WRITE,
            new RegionWrite.Request(
                register, Wire.REGISTERS, Unpooled.buffer(Integer.BYTES).writeIntLE(value)))
        .release();
  }

  /** The next message is the reply. */
  private static Frame call(
      MessageSocket socket, Command command, Payload payload, FileDescriptor... files)
      throws IOException {
    Descriptors descriptors = Descriptors.none();
    if (files.length > 0) {
      descriptors = Descriptors.of(files[0].duplicate());
    }
    socket.send(
        Frame.request(7, command, false, payload, descriptors, ByteBufAllocator.DEFAULT),
        Wire.LIMIT);
    Frame reply = socket.receive(Wire.LIMIT);
    assertThat(reply.header().isReply()).isTrue();
    assertThat(reply.header().knownCommand()).contains(command);
    assertThat(reply.header().error()).isFalse();
    return reply;
  }

  @Test
  void aDoorbellRungWhileStoppedRunsLater() throws Exception {
    serve(DoorbellMode.TRAP);
    HbmChannel channel = source.channel(0);
    source.client().migrateTo(STOP);
    channel.submit(Descriptor.nop().recordAt(record(0)).interrupt());
    for (int look = 0; look < 200; look++) {
      assertThat(channel.head()).isZero();
    }
    assertThat(status(0)).isZero();
    source.client().migrateTo(RUNNING);
    channel.awaitInterrupt();
    assertThat(channel.head()).isEqualTo(1);
    assertThat(status(0)).isEqualTo(1);
  }

  @Test
  void aDoorbellRungWhileStoppedMoves() throws Exception {
    serve(DoorbellMode.TRAP);
    HbmChannel channel = source.channel(0);
    source.client().migrateTo(STOP);
    channel.submit(Descriptor.nop().interrupt());
    source.client().migrateTo(STOP_COPY);
    move();
    source.device().moveTo(target.client());
    target.client().migrateTo(RUNNING);
    channel.awaitInterrupt();
  }

  /** Again and again: the watcher of the page may be quicker than the request. */
  @RepeatedTest(8)
  void aDoorbellStoredWhileStoppedMoves() throws Exception {
    serve(DoorbellMode.MAP);
    HbmChannel channel = source.channel(1);
    source.client().migrateTo(STOP);
    int tail = channel.put(Descriptor.nop().interrupt()).tail();
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info =
            source.client().regionInfo(Wire.REGISTERS);
        Mapping page =
            SharedMemory.map(
                info.descriptors().getFirst(), 0x8000, 4096, SharedMemory.Access.READ_WRITE)) {
      page.segment().set(GuestMemory.INT, 0x100, tail);
      // Reserved bytes of the page are memory like the rest.
      page.segment().set(GuestMemory.INT, 0xffc, 0x1234);
      source.client().migrateTo(STOP_COPY);
    }
    move();
    assertThat(target.client().readInt(Wire.REGISTERS, HbmRegisters.doorbell(1))).isEqualTo(tail);
    assertThat(target.client().readInt(Wire.REGISTERS, 0x8ffc)).isEqualTo(0x1234);
    source.device().moveTo(target.client());
    target.client().migrateTo(RUNNING);
    channel.awaitInterrupt();
    assertThat(channel.head()).isEqualTo(1);
    // The same value again is no doorbell; the next one is.
    channel.run(Descriptor.nop().interrupt());
    assertThat(channel.completed()).isEqualTo(2);
  }

  @Test
  void whatIsRaisedWhileStoppedWaits() throws Exception {
    serve(DoorbellMode.TRAP);
    HbmChannel channel = source.channel(0);
    source.client().migrateTo(STOP);
    source.client().writeInt(Wire.REGISTERS, HbmRegisters.doorbell(0), Wire.ENTRIES);
    Wire.halted(channel, ErrorCode.BAD_DESCRIPTOR);
    assertThat(channel.interrupted()).as("an interrupt of a stopped function").isFalse();
    source.client().migrateTo(RUNNING);
    channel.awaitInterrupt();
    assertThat(channel.driver().awaitFault(Wire.LIMIT)).isTrue();
  }

  @Test
  void pendingInterruptsMove() throws Exception {
    serve(DoorbellMode.TRAP);
    HbmChannel channel = source.channel(0);
    channel.driver().config().maskMsix(true);
    channel.submit(Descriptor.nop().interrupt());
    Wire.await("the entry", () -> channel.completed() == 1);
    source.client().migrateTo(STOP_COPY);
    move();
    assertThat(target.client().regionRead(Wire.MSIX, 0x2000, 1)[0]).isEqualTo((byte) (1 << 1));
    source.device().moveTo(target.client());
    target.client().migrateTo(RUNNING);
    assertThat(channel.interrupted()).isFalse();
    channel.driver().config().maskMsix(false);
    channel.awaitInterrupt();
  }

  @Test
  void anInterruptThatWasHeldBackIsDeliveredThere() throws Exception {
    serve(DoorbellMode.TRAP);
    HbmChannel channel = source.channel(0);
    source.client().migrateTo(STOP);
    source.client().writeInt(Wire.REGISTERS, HbmRegisters.doorbell(0), Wire.ENTRIES);
    source.client().migrateTo(STOP_COPY);
    move();
    source.device().moveTo(target.client());
    assertThat(channel.interrupted()).as("before it runs").isFalse();
    target.client().migrateTo(RUNNING);
    channel.awaitInterrupt();
    Wire.halted(channel, ErrorCode.BAD_DESCRIPTOR);
  }

  @Test
  void registersOfEveryKindAreKept() throws Exception {
    serve(DoorbellMode.TRAP);
    VfioUserClient client = source.client();
    HbmChannel channel = source.channel(1);
    channel.driver().device().reset();
    channel.driver().device().reset();
    channel.setUp();
    channel.run(Descriptor.copy(64).from(0xdead_0000L).toLocal(0).interrupt());
    Wire.halted(channel, ErrorCode.READ_FAULT);
    client.writeInt(Wire.REGISTERS, Wire.SCRATCH, 0xcafe_f00d);
    client.writeInt(Wire.REGISTERS, 0x101c, 2);
    client.writeInt(Wire.CONFIG, 0x10, 0xfebf_0000);
    client.writeLong(Wire.CONFIG, 0x18, 0x38_0000_0000L);
    client.writeInt(Wire.MSIX, 16, 0xfee0_1000);
    client.writeInt(Wire.MSIX, 16 + 8, 0x4321);
    client.writeInt(Wire.MSIX, 16 + 12, 0);
    client.migrateTo(STOP_COPY);
    move();
    equalRegisters(client, target.client());
    target.client().migrateTo(RUNNING);
    assertThat(target.client().readInt(Wire.REGISTERS, Wire.RESET_COUNT)).isEqualTo(2);
    assertThat(target.client().readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(0xcafe_f00d);
    assertThat(target.client().readInt(Wire.REGISTERS, FAULT)).isEqualTo(0x2_0101);
    assertThat(target.client().readLong(Wire.REGISTERS, FAULT_ADDR)).isEqualTo(0xdead_0000L);
    equalRegisters(client, target.client());
  }

  @Test
  void beforeItStopsOnlyTheHeaderComes() throws Exception {
    serve(DoorbellMode.TRAP);
    HbmChannel channel = source.channel(0);
    source.client().migrateTo(PRE_COPY);
    byte[] header = StateStream.read(source.client(), 100);
    assertThat(header).hasSize(StateStream.HEADER);
    assertThat(source.client().migrationRead(1)).isEmpty();
    channel.run(Descriptor.copy(0x8000).from(RAM).toLocal(0).interrupt());
    source.client().migrateTo(STOP_COPY);
    byte[] rest = StateStream.read(source.client(), 100);
    assertThat(source.client().migrationRead(1)).as("after the end").isEmpty();

    target.client().migrateTo(RESUMING);
    StateStream.write(target.client(), header, 5);
    StateStream.write(target.client(), rest, ODD_SIZES);
    target.client().migrateTo(STOP);
    assertThat(target.client().regionRead(Wire.MEMORY, 0, 0x8000)).isEqualTo(ram(0, 0x8000));
    equalRegisters(source.client(), target.client());
  }

  @Test
  void whatWasInTheMemoryThereIsGone() throws Exception {
    serve(DoorbellMode.TRAP);
    source.client().writeInt(Wire.MEMORY, 0x8_0000, 42);
    target.client().regionWrite(Wire.MEMORY, 0, ram(0, RAM_BYTES));
    source.client().migrateTo(STOP_COPY);
    move();
    assertThat(target.client().regionRead(Wire.MEMORY, 0, RAM_BYTES))
        .isEqualTo(source.client().regionRead(Wire.MEMORY, 0, RAM_BYTES));
  }

  @Test
  void hugeMemoryThatIsMostlyUntouchedMovesInAFewMebibytes() throws Exception {
    long size = 64L << 30;
    serve(new HbmConfig(size, 2, DoorbellMode.TRAP, false));
    long[] touched = {0x3000, size / 2, size - GuestMemory.PAGE};
    for (long page : touched) {
      source.client().regionWrite(Wire.MEMORY, page, ram(page % RAM_BYTES, GuestMemory.PAGE));
    }
    source.client().migrateTo(STOP_COPY);
    byte[] stream = StateStream.read(source.client(), 1 << 20);
    // Three pages, or three huge pages where the kernel makes such.
    assertThat(stream.length).isLessThan(7 << 20);
    target.client().migrateTo(RESUMING);
    StateStream.write(target.client(), stream, 1 << 20);
    target.client().migrateTo(RUNNING);
    for (long page : touched) {
      assertThat(target.client().regionRead(Wire.MEMORY, page, (int) GuestMemory.PAGE))
          .isEqualTo(ram(page % RAM_BYTES, GuestMemory.PAGE));
    }
  }
}
