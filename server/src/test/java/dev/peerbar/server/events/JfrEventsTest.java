package dev.peerbar.server.events;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.fixture.WithheldMemory;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a flight recording shows that was started without a word of Peerbar's events. */
@Timeout(120)
final class JfrEventsTest {
  private static final long PAGE = GuestMemory.PAGE;
  private static final long SOURCE = 0x1_0000_0000L;
  private static final long TARGET = 0x2_0000_0000L;
  private static final long LARGE = 64 << 20;
  private static final int HEADER = 16;
  private static final int REGION_FIELDS = 16;

  private static final String MESSAGE = "dev.peerbar.Message";
  private static final String TRANSFER = "dev.peerbar.DmaTransfer";
  private static final String RESET = "dev.peerbar.Reset";
  private static final String INTERRUPT = "dev.peerbar.Interrupt";

  @TempDir private Path directory;
  private Wire wire;
  private VfioUserClient client;
  private Recording recording;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.twinned(directory, Wire.config(DoorbellMode.TRAP));
    client = wire.client();
    recording = new Recording();
    recording.start();
  }

  @AfterEach
  void stop() {
    recording.close();
    wire.close();
  }

  /** The events of a kind so far, in the order of their ends. */
  private List<RecordedEvent> recorded(String kind) throws IOException {
    // When this is answered, what was asked before has ended for the server too.
    wire.works();
    Path file = directory.resolve("recording.jfr");
    recording.dump(file);
    return RecordingFile.readAllEvents(file).stream()
        .filter(event -> event.getEventType().getName().equals(kind))
        .sorted((a, b) -> a.getEndTime().compareTo(b.getEndTime()))
        .toList();
  }

  private List<RecordedEvent> messages(String command) throws IOException {
    return recorded(MESSAGE).stream()
        .filter(event -> event.getString("command").equals(command))
        .toList();
  }

  private List<RecordedEvent> transfers(String access) throws IOException {
    return recorded(TRANSFER).stream()
        .filter(event -> event.getString("access").equals(access))
        .toList();
  }

  private List<String> interrupts() throws IOException {
    return recorded(INTERRUPT).stream()
        .map(event ->
            "%s %d %s"
                .formatted(
                    event.getString("index"), event.getInt("vector"), event.getString("outcome")))
        .toList();
  }

  private GuestMemory mapped(long iova, long size) throws IOException {
    GuestMemory memory = wire.memory(size);
    client.dmaMap(Wire.READ_WRITE, 0, iova, size, Optional.of(memory.file()));
    return memory;
  }

  private MemorySegment distant(long iova, long size) throws IOException {
    MemorySegment memory = Arena.ofAuto().allocate(size);
    client.memory().put(iova, memory);
    client.dmaMap(Wire.READ_WRITE, 0, iova, size, Optional.empty());
    return memory;
  }

  private HbmChannel channel() throws IOException {
    return wire.channel(0);
  }

  @Test
  void aRequestSaysItsSizes() throws Exception {
    client.regionRead(Wire.MEMORY, 0, 1000);
    RecordedEvent read = messages("REGION_READ").getFirst();
    assertThat(read.getString("function")).isEqualTo("hbm");
    assertThat(read.getString("direction")).isEqualTo("CLIENT_TO_SERVER");
    assertThat(read.getLong("bytesReceived")).isEqualTo(HEADER + REGION_FIELDS);
    assertThat(read.getLong("bytesSent")).isEqualTo(HEADER + REGION_FIELDS + 1000);
    assertThat(read.getBoolean("replied")).isTrue();
    assertThat(read.getString("errno")).isNull();
    assertThat(read.getDuration()).isPositive();
    assertThat(read.getStackTrace()).isNull();
  }

  @Test
  void everyRequestIsThereOnceWithItsId() throws Exception {
    for (int i = 0; i < 500; i++) {
      wire.ask(
              Command.REGION_READ.code(),
              Wire.bytes(new RegionRead.Request(Wire.ID, Wire.REGISTERS, 4)))
          .release();
    }
    List<Integer> ids =
        messages("REGION_READ").stream()
            .map(event -> event.getInt("id"))
            .filter(id -> id > 0x9000)
            .toList();
    assertThat(ids).hasSize(500).doesNotHaveDuplicates().isSorted();
  }

  @Test
  void aRefusalSaysItsErrno() throws Exception {
    wire.refusal(Errno.EINVAL, Command.REGION_READ.code(), Unpooled.EMPTY_BUFFER);
    wire.refusal(Errno.ENOSYS, 99, Unpooled.EMPTY_BUFFER);
    RecordedEvent read = messages("REGION_READ").getFirst();
    assertThat(read.getString("errno")).isEqualTo("EINVAL");
    assertThat(read.getLong("bytesSent")).isEqualTo(HEADER);
    assertThat(messages("command 99").getFirst().getString("errno")).isEqualTo("ENOSYS");
  }

  @Test
  void aRequestWithoutReplySaysSo() throws Exception {
    client.regionWritePosted(Wire.REGISTERS, Wire.SCRATCH, new byte[4]);
    client.regionWritePosted(Wire.REGISTERS, 1L << 40, new byte[4]);
    List<RecordedEvent> writes = messages("REGION_WRITE");
    assertThat(writes).hasSize(2);
    assertThat(writes).noneMatch(event -> event.getBoolean("replied"));
    assertThat(writes).allMatch(event -> event.getLong("bytesSent") == 0);
    assertThat(writes)
        .extracting(event -> event.getString("errno"))
        .containsExactly(null, "EINVAL");
  }

  @Test
  void descriptorsAreCounted() throws Exception {
    mapped(SOURCE, PAGE);
    client.regionInfo(Wire.MEMORY).close();
    assertThat(messages("DMA_MAP").getFirst().getInt("descriptorsReceived")).isOne();
    // Asked how much there is to tell, and then again to be told.
    assertThat(messages("DEVICE_GET_REGION_INFO"))
        .allMatch(info -> info.getInt("descriptorsReceived") == 0)
        .extracting(info -> info.getInt("descriptorsSent"))
        .containsExactly(0, 1);
  }

  @Test
  void aDirectCopyIsATransfer() throws Exception {
    mapped(SOURCE, 1 << 20);
    mapped(TARGET, 1 << 20);
    channel().run(Descriptor.copy(1 << 20).from(SOURCE).to(TARGET).interrupt());
    RecordedEvent copy = transfers("COPY").getFirst();
    assertThat(copy.getString("function")).isEqualTo("hbm");
    assertThat(copy.getString("engine")).isEqualTo("channel-0");
    assertThat(copy.getLong("source")).isEqualTo(SOURCE);
    assertThat(copy.getLong("destination")).isEqualTo(TARGET);
    assertThat(copy.getLong("asked")).isEqualTo(1 << 20);
    assertThat(copy.getLong("moved")).isEqualTo(1 << 20);
    assertThat(copy.getString("path")).isEqualTo("direct");
    assertThat(copy.getString("fault")).isNull();
    assertThat(copy.getDuration()).isPositive();
    // The channel reads its ring the same way.
    assertThat(transfers("READ").getFirst().getLong("source")).isEqualTo(Wire.RING);
  }

  @Test
  void theWayOfATransferIsTold() throws Exception {
    mapped(SOURCE, 4 << 20);
    distant(TARGET, 4 << 20);
    HbmChannel channel = channel();
    channel.run(Descriptor.copy(4 << 20).from(SOURCE).to(TARGET).interrupt());
    channel.run(Descriptor.copy(1 << 20).from(TARGET).toLocal(0).interrupt());
    channel.run(Descriptor.copy(1 << 18).fromLocal(0).toLocal(1 << 18).interrupt());
    Wire.idle(channel);
    RecordedEvent copy = transfers("COPY").getFirst();
    assertThat(copy.getString("path")).isEqualTo("both");
    assertThat(copy.getLong("moved")).isEqualTo(4 << 20);
    RecordedEvent read =
        transfers("READ").stream()
            .filter(e -> e.getLong("source") == TARGET)
            .findFirst()
            .orElseThrow();
    assertThat(read.getString("path")).isEqualTo("messages");
    assertThat(read.getLong("moved")).isEqualTo(1 << 20);
    RecordedEvent local = transfers("LOCAL").getFirst();
    assertThat(local.getString("path")).isEqualTo("direct");
    assertThat(local.getLong("moved")).isEqualTo(1 << 18);
  }

  @Test
  void aFaultIsTold() throws Exception {
    mapped(SOURCE, 4 * PAGE);
    HbmChannel channel = channel();
    channel.run(Descriptor.copy(8 * PAGE).from(SOURCE + PAGE).toLocal(0).interrupt());
    Wire.halted(channel, ErrorCode.READ_FAULT);
    RecordedEvent read = transfers("READ").getLast();
    assertThat(read.getString("fault")).isEqualTo("UNMAPPED");
    assertThat(read.getLong("faultAddress")).isEqualTo(SOURCE + 4 * PAGE);
    assertThat(read.getLong("asked")).isEqualTo(8 * PAGE);
    assertThat(read.getLong("moved")).isEqualTo(3 * PAGE);
  }

  @Test
  void messagesToTheClientAreThere() throws Exception {
    distant(TARGET, 1 << 20);
    HbmChannel channel = channel();
    channel.run(Descriptor.copy(1 << 20).fromLocal(0).to(TARGET).interrupt());
    channel.run(Descriptor.copy(1 << 20).from(TARGET).toLocal(0).interrupt());
    List<RecordedEvent> writes = messages("DMA_WRITE");
    assertThat(writes).allMatch(event -> event.getString("direction").equals("SERVER_TO_CLIENT"));
    assertThat(writes).allMatch(event -> event.getBoolean("replied"));
    assertThat(writes).allMatch(event -> event.getLong("bytesReceived") >= HEADER);
    assertThat(writes).allMatch(event -> event.getDuration().isPositive());
    assertThat(writes.stream().mapToLong(event -> event.getLong("address")).min()).hasValue(TARGET);
    assertThat(writes.stream().mapToLong(event -> event.getLong("bytesSent")).sum())
        .isEqualTo((1 << 20) + writes.size() * (HEADER + 16L));
    List<RecordedEvent> reads = messages("DMA_READ");
    assertThat(reads.stream().mapToLong(event -> event.getLong("bytesReceived")).sum())
        .isEqualTo((1 << 20) + reads.size() * (HEADER + 16L));
  }

  @Test
  void whatTheClientRefusesIsTold() throws Exception {
    client.dmaMap(Wire.READ_WRITE, 0, TARGET, PAGE, Optional.empty());
    HbmChannel channel = channel();
    channel.run(Descriptor.fill(1, PAGE).to(TARGET).interrupt());
    Wire.halted(channel, ErrorCode.WRITE_FAULT);
    RecordedEvent write = messages("DMA_WRITE").getFirst();
    assertThat(write.getString("errno")).isEqualTo("EFAULT");
    assertThat(write.getLong("address")).isEqualTo(TARGET);
    assertThat(transfers("WRITE").getFirst().getString("fault")).isEqualTo("CLIENT_FAILED");
  }

  @Test
  void aMessageWhoseClientWentIsTold() throws Exception {
    client.dmaMap(Wire.READ_WRITE, 0, TARGET, PAGE, Optional.empty());
    Semaphore asked = new Semaphore(0);
    client.serveDma(
        new DmaHandler() {
          @Override
          public void read(long address, int count, ByteBuf into) throws RefusedException {
            throw new RefusedException(Errno.EFAULT);
          }

          @Override
          public void write(long address, ByteBuf data) throws RefusedException {
            asked.release();
            client.close();
          }
        });
    channel().submit(Descriptor.fill(1, PAGE).to(TARGET).interrupt());
    assertThat(asked.tryAcquire(20, TimeUnit.SECONDS)).isTrue();
    client = wire.reconnect();
    RecordedEvent write = messages("DMA_WRITE").getFirst();
    assertThat(write.getBoolean("replied")).isFalse();
    assertThat(write.getLong("bytesReceived")).isZero();
  }

  @Test
  void aResetSaysWhatItEnded() throws Exception {
    // The second half is withheld: the copy is surely under way.
    mapped(SOURCE, LARGE / 2);
    distant(SOURCE + LARGE / 2, LARGE / 2);
    mapped(TARGET, LARGE);
    WithheldMemory withheld = new WithheldMemory(client.memory());
    client.serveDma(withheld);
    HbmChannel channel = channel();
    channel.submit(Descriptor.copy(LARGE).from(SOURCE).to(TARGET));
    withheld.awaitAsked();
    channel.driver().device().reset();
    client.reset();
    withheld.letGo();
    // One engine does one thing after the other: what was ended is over when this is done.
    channel.setUp();
    channel.run(Descriptor.nop().interrupt());
    List<RecordedEvent> resets = recorded(RESET);
    assertThat(resets)
        .extracting(event -> event.getString("kind"))
        .containsExactly("FUNCTION_LEVEL", "BUS_OR_DEVICE");
    assertThat(resets).extracting(event -> event.getInt("jobsEnded")).containsExactly(1, 0);
    assertThat(resets).allMatch(event -> event.getString("function").equals("hbm"));
    assertThat(resets).allMatch(event -> event.getDuration().isPositive());
    RecordedEvent ended = transfers("COPY").getLast();
    assertThat(ended.getString("fault")).isEqualTo(TransferEvent.ENDED);
    assertThat(ended.getLong("moved")).isLessThan(LARGE);
  }

  @Test
  void interruptsSayWhatCameOfThem() throws Exception {
    HbmChannel channel = channel();
    channel.run(Descriptor.nop().interrupt());
    channel.driver().config().maskMsix(true);
    // An entry that is complete may not have interrupted yet; once the next one is, it has.
    channel.submit(Descriptor.nop().interrupt(), Descriptor.nop());
    Wire.await("the job", () -> channel.head() == 3);
    channel.driver().config().maskMsix(false);
    client.regionWrite(
        Wire.CONFIG, channel.driver().config().capability(Msix.ID) + 2, new byte[] {0, 0});
    channel.submit(Descriptor.nop().interrupt(), Descriptor.nop());
    Wire.await("the job", () -> channel.head() == 5);
    assertThat(interrupts())
        .containsExactly(
            "MSIX 1 DELIVERED", "MSIX 1 MASKED", "MSIX 1 DELIVERED", "MSIX 1 DISABLED");
  }

  @Test
  void interruptsThatNobodyCanHaveAreTold() throws Exception {
    HbmChannel channel = channel();
    int take = DeviceSetIrqs.DATA_EVENTFD | DeviceSetIrqs.ACTION_TRIGGER;
    client.setIrqs(take, PciIrq.MSIX, 0, 1, new byte[0]);
    channel.run(Descriptor.copy(PAGE).from(SOURCE).toLocal(0).interrupt());
    Wire.halted(channel, ErrorCode.READ_FAULT);
    assertThat(interrupts()).containsExactlyInAnyOrder("MSIX 0 NO_EVENTFD", "MSIX 1 DELIVERED");
  }

  @Test
  void interruptsWaitForBusMastering() throws Exception {
    HbmChannel channel = channel();
    channel.driver().config().busMaster(false);
    channel.submit(Descriptor.nop().interrupt());
    Wire.await("the halt", () -> channel.state() == ChannelState.HALTED);
    channel.driver().config().busMaster(true);
    channel.awaitInterrupt();
    assertThat(interrupts())
        .contains("MSIX 0 PENDING", "MSIX 1 PENDING")
        .endsWith("MSIX 1 DELIVERED");
  }

  @Test
  void nothingIsAskedForWithoutARecording() throws Exception {
    assertThat(MessageEvent.enabled()).isTrue();
    assertThat(TransferEvent.enabled()).isTrue();
    recording.stop();
    assertThat(MessageEvent.enabled()).isFalse();
    assertThat(TransferEvent.enabled()).isFalse();
    wire.works();
  }

  @Test
  void anEventCanBeLeftOut() throws Exception {
    recording.stop();
    try (Recording resetsOnly = new Recording()) {
      resetsOnly.disable(MESSAGE);
      resetsOnly.start();
      wire.works();
      assertThat(MessageEvent.enabled()).isFalse();
      assertThat(TransferEvent.enabled()).isTrue();
    }
  }
}
