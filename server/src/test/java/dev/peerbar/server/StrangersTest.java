package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.Memory;
import dev.peerbar.driver.SegmentMemory;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.Doorbells;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceFeature.Feature;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.DmaLogging;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionCapability.SparseMmap;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.NvmeWire;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.storage.HostMemory;
import dev.peerbar.storage.Storage;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients as others write them, message for message: SPDK's user-space NVMe initiator (its
 * lib/vfio_user/host and nvme_vfio_user.c) and the sample client of the reference library
 * (libvfio-user, samples/client.c).
 */
@Timeout(60)
final class StrangersTest {
  private static final long PAGE = GuestMemory.PAGE;
  private static final int LBA = NvmeWire.LBA;

  @TempDir private Path directory;
  private Path path;
  private Storage storage;
  private EndpointServer server;

  @BeforeEach
  void serve() throws Exception {
    path = directory.resolve("cntrl");
    storage = HostMemory.storage(16 << 20);
    server =
        Serving.start(
            "nvme",
            new NvmeEndpoint(NvmeWire.config(DoorbellMode.MAP, NvmeWire.CMB_SIZE), storage),
            path);
  }

  @AfterEach
  void stop() {
    server.close();
    storage.close();
  }

  /** One request at a time; what comes next has to be its reply. */
  private static final class Plain implements AutoCloseable {
    private final MessageSocket socket;

    Plain(Path path) throws IOException {
      socket = new MessageSocket(UnixSocket.connect(path, Wire.LIMIT));
    }

    Frame ask(int id, Command command, ByteBuf payload, FileDescriptor... descriptors)
        throws IOException {
      socket.send(Wire.message(id, command.code(), 0, payload), List.of(descriptors), Wire.LIMIT);
      Frame reply = socket.receive(Wire.LIMIT);
      assertThat(reply.header().isReply()).as("%s is a reply", reply).isTrue();
      assertThat(reply.header().id()).isEqualTo(id);
      assertThat(reply.header().command()).isEqualTo(command.code());
      return reply;
    }

    @Override
    public void close() {
      socket.close();
    }
  }

  // SPDK.

  @Test
  void spdksInitiatorIdentifiesWritesAndReads() throws Exception {
    byte[] data = new byte[8 * LBA];
    for (int i = 0; i < data.length; i++) {
      data[i] = (byte) (i * 31);
    }
    try (Spdk first = new Spdk(path)) {
      assertThat(first.model()).startsWith("Peerbar NVMe");
      first.write(3, data);
      first.leave();
    }
    // It takes away what it has mapped: not a mapping is left over for the next.
    Wire.await("the next", () -> server.function().bus().table().size() == 0);
    try (Spdk second = new Spdk(path)) {
      assertThat(second.read(3, data.length)).isEqualTo(data);
      second.leave();
      assertThat(server.function().bus().table().size()).isZero();
    }
  }

  @Test
  void spdksInitiatorLeavesNoDescriptorBehind() throws Exception {
    try (Spdk warm = new Spdk(path)) {
      warm.model();
    }
    Wire.await("the next", () -> server.function().bus().table().size() == 0);
    long open = OpenFiles.count();
    try (Spdk spdk = new Spdk(path)) {
      for (int i = 0; i < 10; i++) {
        spdk.mapAgain();
      }
      spdk.leave();
    }
    Wire.await("its descriptors are closed", () -> OpenFiles.count() <= open);
  }

  /**
   * Every message has the id 0. Memory is where it is in the process, and has to be reached by its
   * descriptor: who sent a DMA_READ would be taken for giving the reply. It polls.
   */
  private static final class Spdk implements AutoCloseable {
    /** VFIO_USER_MAX_PAYLOAD_SIZE without the structure itself: what argsz and payload are. */
    private static final int REGION_INFO = 4064;

    private static final long RAM = 0x2000_0020_0000L;
    private static final long RAM_SIZE = 2 << 20;
    private static final int ENTRIES = 32;
    private static final long ADMIN_SUBMISSIONS = 0;
    private static final long ADMIN_COMPLETIONS = PAGE;
    private static final long SUBMISSIONS = 2 * PAGE;
    private static final long COMPLETIONS = 3 * PAGE;
    private static final long DATA = 16 * PAGE;
    private static final int BUS_MASTER_WITHOUT_PIN = 0x404;
    private static final int SHUTDOWN = 1 << 14;
    private static final int MODEL = 24;
    private static final int ENABLE =
        NvmeRegisters.CC_EN
            | SubmissionEntry.BYTES_LOG2 << NvmeRegisters.CC_IOSQES_SHIFT
            | Integer.numberOfTrailingZeros(CompletionEntry.BYTES) << NvmeRegisters.CC_IOCQES_SHIFT;

    private final Plain plain;
    private final GuestMemory memory = new GuestMemory("spdk", RAM_SIZE);
    private final Mapping doorbells;
    private final Queue admin;
    private final Queue io;

    Spdk(Path path) throws Exception {
      plain = new Plain(path);
      // No JSON, not even its NUL.
      ask(Command.VERSION, Unpooled.buffer().writeShortLE(0).writeShortLE(0));
      int regions =
          DeviceGetInfo.Reply.decode(
                  ask(Command.DEVICE_GET_INFO, Wire.bytes(new DeviceGetInfo.Request())))
              .numRegions();
      doorbells = mapRegions(regions);
      map();
      byte[] command = read(PciRegion.CONFIG, 4, 2);
      write(
          PciRegion.CONFIG,
          4,
          Unpooled.buffer()
              .writeShortLE(
                  Unpooled.wrappedBuffer(command).readShortLE() | BUS_MASTER_WITHOUT_PIN));
      admin = new Queue(0, ADMIN_SUBMISSIONS, ADMIN_COMPLETIONS);
      enable();
      io = createQueue();
    }

    private ByteBuf ask(Command command, ByteBuf payload, FileDescriptor... descriptors)
        throws IOException {
      Frame reply = plain.ask(0, command, payload, descriptors);
      try {
        assertThat(reply.header().error()).as("%s", command).isFalse();
        assertThat(reply.header().size()).as("room for the reply").isLessThanOrEqualTo(4096 + 16);
        return Unpooled.copiedBuffer(reply.payload());
      } finally {
        reply.release();
      }
    }

    /** Asks for each region once. Returns the page of BAR 0 from 0x1000 on. */
    private Mapping mapRegions(int regions) throws Exception {
      Mapping page = null;
      for (int index = 0; index < regions; index++) {
        ByteBuf request = Wire.bytes(new DeviceGetRegionInfo.Request(REGION_INFO, index));
        request.writeZero(REGION_INFO - DeviceGetRegionInfo.Request.LENGTH);
        Frame reply = plain.ask(0, Command.DEVICE_GET_REGION_INFO, request);
        assertThat(reply.header().error()).as("region %d", index).isFalse();
        DeviceGetRegionInfo.Reply info = DeviceGetRegionInfo.Reply.decode(reply.payload());
        if ((info.flags() & DeviceGetRegionInfo.MMAP) != 0) {
          SparseMmap.Area area = ((SparseMmap) info.capabilities().getFirst()).areas().getFirst();
          Mapping mapping =
              SharedMemory.map(
                  reply.descriptors().get(0).orElseThrow(),
                  info.offset() + area.offset(),
                  area.size(),
                  SharedMemory.Access.READ_WRITE);
          if (index == NvmeRegisters.BAR) {
            assertThat(area.offset()).isEqualTo(0x1000);
            page = mapping;
          } else {
            mapping.close();
          }
        }
        reply.release();
      }
      assertThat(page).as("BAR 0 from 0x1000 on").isNotNull();
      return page;
    }

    private void map() throws IOException {
      ask(
          Command.DMA_MAP,
          Wire.bytes(new DmaMap.Request(Wire.READ_WRITE, 0, RAM, RAM_SIZE)),
          memory.file());
    }

    private void unmap() throws IOException {
      ask(Command.DMA_UNMAP, Wire.bytes(new DmaUnmap.Request(RAM, RAM_SIZE)), memory.file());
    }

    void mapAgain() throws IOException {
      unmap();
      map();
    }

    private byte[] read(int region, long offset, int count) throws IOException {
      ByteBuf reply =
          ask(Command.REGION_READ, Wire.bytes(new RegionRead.Request(offset, region, count)));
      return reply.skipBytes(RegionRead.DATA).isReadable()
          ? ByteBufUtil.getBytes(reply)
          : new byte[0];
    }

    private void write(int region, long offset, ByteBuf data) throws IOException {
      ask(Command.REGION_WRITE, Wire.bytes(new RegionWrite.Request(offset, region, data)));
    }

    private void register(long offset, int value) throws IOException {
      write(NvmeRegisters.BAR, offset, Unpooled.buffer().writeIntLE(value));
    }

    private int register(long offset) throws IOException {
      return Unpooled.wrappedBuffer(read(NvmeRegisters.BAR, offset, Integer.BYTES)).readIntLE();
    }

    private void enable() throws Exception {
      register(NvmeRegisters.CC, 0);
      Wire.await("CSTS.RDY clear", () -> (register(NvmeRegisters.CSTS) & 1) == 0);
      register(NvmeRegisters.AQA, ENTRIES - 1 | ENTRIES - 1 << NvmeRegisters.AQA_ACQS_SHIFT);
      write(
          NvmeRegisters.BAR,
          NvmeRegisters.ASQ,
          Unpooled.buffer().writeLongLE(RAM + ADMIN_SUBMISSIONS));
      write(
          NvmeRegisters.BAR,
          NvmeRegisters.ACQ,
          Unpooled.buffer().writeLongLE(RAM + ADMIN_COMPLETIONS));
      register(NvmeRegisters.CC, ENABLE);
      Wire.await("CSTS.RDY", () -> (register(NvmeRegisters.CSTS) & 1) != 0);
    }

    /** A pair of queues, with one command at a time. */
    private final class Queue {
      private final int id;
      private final long submissions;
      private final long completions;
      private final Doorbells bells = new Doorbells.Stores(new SegmentMemory(doorbells.segment()));
      private final Memory ram = new SegmentMemory(memory.bytes());
      private int commands;

      Queue(int id, long submissions, long completions) {
        this.id = id;
        this.submissions = submissions;
        this.completions = completions;
      }

      void succeed(SubmissionEntry.Builder command) throws IOException {
        int slot = commands % ENTRIES;
        boolean phase = commands / ENTRIES % 2 == 0;
        commands++;
        ram.write(
            submissions + (long) slot * SubmissionEntry.BYTES,
            command.commandId(slot).build().bytes());
        bells.tail(id, commands % ENTRIES);
        long completion = completions + (long) slot * CompletionEntry.BYTES;
        long deadline = System.nanoTime() + Wire.LIMIT.toNanos();
        while (CompletionEntry.phase(ram.loadLong(completion + CompletionEntry.SECOND)) != phase) {
          assertThat(System.nanoTime()).as("a completion comes").isLessThan(deadline);
          Thread.onSpinWait();
        }
        CompletionEntry entry = CompletionEntry.decode(memory.bytes(), completion);
        assertThat(entry.sqId()).isEqualTo(id);
        assertThat(entry.commandId()).isEqualTo(slot);
        assertThat(entry.status()).isEqualTo(Status.SUCCESS);
        bells.head(id, commands % ENTRIES);
      }
    }

    private Queue createQueue() throws IOException {
      int size = 1 | ENTRIES - 1 << 16;
      admin.succeed(
          SubmissionEntry.builder(AdminOpcode.CREATE_IO_COMPLETION_QUEUE)
              .prp1(RAM + COMPLETIONS)
              .dword(10, size)
              .dword(11, 1));
      admin.succeed(
          SubmissionEntry.builder(AdminOpcode.CREATE_IO_SUBMISSION_QUEUE)
              .prp1(RAM + SUBMISSIONS)
              .dword(10, size)
              .dword(11, 1 << 16 | 1));
      return new Queue(1, SUBMISSIONS, COMPLETIONS);
    }

    /** The model of Identify Controller. */
    String model() throws IOException {
      admin.succeed(SubmissionEntry.builder(AdminOpcode.IDENTIFY).prp1(RAM + DATA).dword(10, 1));
      byte[] model = new byte[40];
      MemorySegment.ofArray(model).copyFrom(memory.bytes().asSlice(DATA + MODEL, model.length));
      return new String(model, StandardCharsets.US_ASCII);
    }

    private static SubmissionEntry.Builder transfer(IoOpcode opcode, long lba, int length) {
      return NvmeCommands.onBlocks(opcode, lba, length / LBA, new DataPointer(RAM + DATA, 0));
    }

    void write(long lba, byte[] data) throws IOException {
      memory.bytes().asSlice(DATA, data.length).copyFrom(MemorySegment.ofArray(data));
      io.succeed(transfer(IoOpcode.WRITE, lba, data.length));
    }

    byte[] read(long lba, int length) throws IOException {
      memory.bytes().asSlice(DATA, length).fill((byte) 0);
      io.succeed(transfer(IoOpcode.READ, lba, length));
      byte[] data = new byte[length];
      MemorySegment.ofArray(data).copyFrom(memory.bytes().asSlice(DATA, length));
      return data;
    }

    /** As it does before it closes: shuts the controller down, then takes its memory away. */
    void leave() throws Exception {
      register(NvmeRegisters.CC, ENABLE | SHUTDOWN);
      Wire.await("shut down", () -> (register(NvmeRegisters.CSTS) & 0xc) == 8);
      unmap();
    }

    @Override
    public void close() {
      plain.close();
      doorbells.close();
      memory.close();
    }
  }

  // The reference library's sample.

  @Test
  void theReferenceLibrarysSampleDoesAllThatItDoes() throws Exception {
    try (Plain plain = new Plain(path);
        GuestMemory memory = new GuestMemory("sample", 64 * PAGE);
        FileDescriptor event = EventDescriptor.create()) {
      Sample sample = new Sample(plain);
      int descriptors = sample.negotiate();
      sample.refusesAReadOfNoRegion();
      sample.looksAtRegions();
      sample.looksAtInterrupts();
      sample.exact(0, Command.DEVICE_RESET, Unpooled.EMPTY_BUFFER);
      int pages = 2 * descriptors;
      for (int i = 0; i < pages; i++) {
        DmaMap.Request map = new DmaMap.Request(Wire.READ_WRITE, i * PAGE, i * PAGE, PAGE);
        sample.exact(0, Command.DMA_MAP, Wire.bytes(map), memory.file());
      }
      sample.exact(
          0,
          Command.DEVICE_SET_IRQS,
          Wire.bytes(
              new DeviceSetIrqs.Request(
                  DeviceSetIrqs.DATA_EVENTFD | DeviceSetIrqs.ACTION_TRIGGER,
                  PciIrq.INTX,
                  0,
                  1,
                  Unpooled.EMPTY_BUFFER)),
          event);
      sample.logging(Feature.DMA_LOGGING_START);
      for (int i = 0; i < pages; i++) {
        sample.reads(i * PAGE);
      }
      sample.logging(Feature.DMA_LOGGING_STOP);
      for (int i = 0; i < descriptors; i++) {
        sample.exact(24, Command.DMA_UNMAP, Wire.bytes(new DmaUnmap.Request(i * PAGE, PAGE)));
      }
      assertThat(server.function().bus().table().size()).isEqualTo(pages - descriptors);
      int unmapAll = 1 << 1;
      sample.exact(24, Command.DMA_UNMAP, Wire.bytes(new DmaUnmap.Request(24, unmapAll, 0, 0)));
      assertThat(server.function().bus().table().size()).isZero();
    }
  }

  /** It takes a reply that is not as long as it expects for the end of the connection. */
  private static final class Sample {
    private static final int SMALL = DeviceGetRegionInfo.Request.LENGTH;

    private final Plain plain;
    private int id = 0xabcd;

    Sample(Plain plain) {
      this.plain = plain;
    }

    private Frame ask(Command command, ByteBuf payload, FileDescriptor... descriptors)
        throws IOException {
      return plain.ask(--id, command, payload, descriptors);
    }

    /** Asks what is answered with as many bytes of payload. */
    ByteBuf exact(int length, Command command, ByteBuf payload, FileDescriptor... descriptors)
        throws IOException {
      Frame reply = ask(command, payload, descriptors);
      try {
        assertThat(Errno.of(reply.header().errno())).as("%s", command).isEmpty();
        assertThat(reply.payload().readableBytes()).as("%s", command).isEqualTo(length);
        // It has no room for any, and takes the reply for broken then.
        assertThat(reply.descriptors().count()).as("%s", command).isZero();
        return Unpooled.copiedBuffer(reply.payload());
      } finally {
        reply.release();
      }
    }

    /** Returns how many descriptors the server takes. */
    int negotiate() throws Exception {
      String json = "{\"capabilities\":{\"max_msg_fds\":32,\"max_data_xfer_size\":1024}}\0";
      ByteBuf version = Unpooled.buffer().writeShortLE(0).writeShortLE(1);
      version.writeBytes(json.getBytes(StandardCharsets.UTF_8));
      Frame reply = ask(Command.VERSION, version);
      try {
        ByteBuf payload = reply.payload();
        assertThat(payload.getByte(payload.writerIndex() - 1)).as("the NUL").isZero();
        return Version.Reply.decode(payload).capabilities().maxMsgFds();
      } finally {
        reply.release();
      }
    }

    void refusesAReadOfNoRegion() throws IOException {
      Frame reply = ask(Command.REGION_READ, Wire.bytes(new RegionRead.Request(0, 0xdeadbeef, 4)));
      assertThat(Errno.of(reply.header().errno())).contains(Errno.EINVAL);
      reply.release();
    }

    /** First with little room and none for descriptors, then with a payload as long as argsz. */
    void looksAtRegions() throws Exception {
      ByteBuf info = exact(16, Command.DEVICE_GET_INFO, Wire.bytes(new DeviceGetInfo.Request()));
      int regions = DeviceGetInfo.Reply.decode(info).numRegions();
      assertThat(regions).isEqualTo(PciRegion.COUNT);
      int mappable = 0;
      for (int index = 0; index < regions; index++) {
        ByteBuf small =
            exact(
                SMALL,
                Command.DEVICE_GET_REGION_INFO,
                Wire.bytes(new DeviceGetRegionInfo.Request(SMALL, index)));
        int argsz = DeviceGetRegionInfo.Reply.decode(small).argsz();
        if (argsz > SMALL) {
          mapsAreas(index, argsz);
          mappable++;
        }
      }
      assertThat(mappable).as("the doorbells and the CMB").isEqualTo(2);
    }

    private void mapsAreas(int index, int argsz) throws Exception {
      ByteBuf request = Wire.bytes(new DeviceGetRegionInfo.Request(argsz, index));
      request.writeZero(argsz - SMALL);
      Frame reply = ask(Command.DEVICE_GET_REGION_INFO, request);
      assertThat(reply.payload().readableBytes()).isEqualTo(argsz);
      assertThat(reply.descriptors().count()).isOne();
      DeviceGetRegionInfo.Reply info = DeviceGetRegionInfo.Reply.decode(reply.payload());
      assertThat(info.argsz()).isEqualTo(argsz);
      for (SparseMmap.Area area : ((SparseMmap) info.capabilities().getFirst()).areas()) {
        SharedMemory.map(
                reply.descriptors().get(0).orElseThrow(),
                info.offset() + area.offset(),
                area.size(),
                SharedMemory.Access.READ_WRITE)
            .close();
      }
      reply.release();
    }

    void looksAtInterrupts() throws Exception {
      for (int index = 0; index < PciIrq.COUNT; index++) {
        exact(16, Command.DEVICE_GET_IRQ_INFO, Wire.bytes(new DeviceGetIrqInfo.Request(index)));
      }
    }

    /** Starting and stopping take the same data, and repeat them. */
    void logging(Feature feature) throws IOException {
      ByteBuf data = Wire.bytes(new DmaLogging.Control(PAGE, List.of()));
      int length = DeviceFeature.DATA + data.readableBytes();
      exact(
          length,
          Command.DEVICE_FEATURE,
          Wire.bytes(new DeviceFeature.Request(length, feature.index() | DeviceFeature.SET, data)));
    }

    void reads(long iova) throws IOException {
      int length = DeviceFeature.DATA + DmaLogging.Report.BITMAP + Long.BYTES;
      ByteBuf data = Wire.bytes(new DmaLogging.ReportRequest(iova, PAGE, PAGE));
      exact(
          length,
          Command.DEVICE_FEATURE,
          Wire.bytes(
              new DeviceFeature.Request(
                  length, Feature.DMA_LOGGING_REPORT.index() | DeviceFeature.GET, data)));
    }
  }
}
