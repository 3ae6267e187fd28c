package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** Drives an NVMe controller: memory, registers, queues and interrupts. */
final class NvmeDriver implements AutoCloseable {
  /** How the device reaches the driver's memory. */
  enum Reach {
    DIRECTLY,
    BY_MESSAGES
  }

  /** Where the driver's memory is to the device, and its own CMB. */
  static final long RAM = 1L << 32;

  static final long RAM_SIZE = 64 << 20;
  static final long CMB = 1L << 40;
  static final int ADMIN_ENTRIES = 32;

  private static final long PAGE = GuestMemory.PAGE;
  private static final int NUMBER_OF_QUEUES = 7;
  private static final int PHYSICALLY_CONTIGUOUS = 1;
  private static final int INTERRUPTS_ENABLED = 2;
  private static final int IDENTIFY_BYTES = 4096;
  private static final int ENABLE =
      NvmeRegisters.CC_EN
          | SubmissionEntry.BYTES_LOG2 << NvmeRegisters.CC_IOSQES_SHIFT
          | Integer.numberOfTrailingZeros(CompletionEntry.BYTES) << NvmeRegisters.CC_IOCQES_SHIFT;

  private final VfioUserClient client;
  private final ConfigSpace config;
  private final GuestMemory memory;
  private final Optional<Mapping> cmbMapping;
  private final List<FileDescriptor> events;
  private Area ram;
  private Area cmb;
  private NvmeQueue admin;
  private NvmeDoorbells doorbells;
  private int queues;

  /** Memory that is handed out from its beginning on, in pages. */
  private static final class Area {
    private final MemorySegment bytes;
    private final long iova;
    private long used;

    Area(MemorySegment bytes, long iova) {
      this.bytes = bytes;
      this.iova = iova;
    }

    /** The offset of so many bytes that nobody else has. */
    long take(long size) {
      long at = used;
      used += (size + PAGE - 1) / PAGE * PAGE;
      return at;
    }

    NvmeBuffer buffer(long size) {
      long data = take(size);
      long list = take(PAGE);
      return new NvmeBuffer(
          bytes.asSlice(data, size), iova + data, bytes.asSlice(list, PAGE), iova + list);
    }
  }

  /** Its memory is mapped, and every vector has an event; the controller is as it was. */
  NvmeDriver(VfioUserClient client, Reach reach) throws IOException {
    this.client = client;
    config = new ConfigSpace(client);
    memory = new GuestMemory("nvme-ram", RAM_SIZE);
    if (reach == Reach.DIRECTLY) {
      client.dmaMap(Wire.READ_WRITE, 0, RAM, RAM_SIZE, Optional.of(memory.file()));
    } else {
      client.memory().put(RAM, memory.bytes());
      client.dmaMap(Wire.READ_WRITE, 0, RAM, RAM_SIZE, Optional.empty());
    }
    int vectors = client.irqInfo(PciIrq.MSIX).count();
    List<FileDescriptor> made = new ArrayList<>();
    for (int i = 0; i < vectors; i++) {
      made.add(EventDescriptor.create());
    }
    events = List.copyOf(made);
    // No more of them fit in a message than the server takes.
    for (int i = 0; i < vectors; i++) {
      client.setIrqEvents(PciIrq.MSIX, i, events.get(i));
    }
    cmbMapping = map(NvmeRegisters.CMB_BAR, 0, Long.MAX_VALUE);
  }

  /** Maps of a BAR what can be mapped. */
  private Optional<Mapping> map(int bar, long offset, long most) throws IOException {
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(bar)) {
      if (info.descriptors().isEmpty()) {
        return Optional.empty();
      }
      long size = Math.min(most, info.value().size() - offset);
      return Optional.of(
          SharedMemory.map(
              info.descriptors().getFirst(), offset, size, SharedMemory.Access.READ_WRITE));
    }
  }

  /**
   * What a driver does first, and after every reset: CC.EN clear, admin queues, CMB, CC.EN and
   * CSTS.RDY.
   */
  NvmeDriver start() throws Exception {
    enable();
    awaitReady();
    return this;
  }

  /** Begins to {@link #start}. */
  void enable() throws Exception {
    config.command((short) (ConfigSpace.MEMORY_SPACE | ConfigSpace.BUS_MASTER));
    config.enableMsix(false);
    // Whoever was here before may have left it at work.
    disable();
    ram = new Area(memory.bytes(), RAM);
    doorbells = new NvmeDoorbells.Registers(client);
    if (cmbMapping.isPresent()) {
      long claim = CMB | NvmeRegisters.CMBMSC_CRE | NvmeRegisters.CMBMSC_CMSE;
      client.writeLong(NvmeRegisters.BAR, NvmeRegisters.CMBMSC, claim);
      cmb = new Area(cmbMapping.get().segment(), CMB);
    }
    long submissions = ram.take((long) ADMIN_ENTRIES * SubmissionEntry.BYTES);
    long completions = ram.take((long) ADMIN_ENTRIES * CompletionEntry.BYTES);
    client.writeInt(
        NvmeRegisters.BAR,
        NvmeRegisters.AQA,
        ADMIN_ENTRIES - 1 | ADMIN_ENTRIES - 1 << NvmeRegisters.AQA_ACQS_SHIFT);
    client.writeLong(NvmeRegisters.BAR, NvmeRegisters.ASQ, RAM + submissions);
    client.writeLong(NvmeRegisters.BAR, NvmeRegisters.ACQ, RAM + completions);
    admin = queue(0, ADMIN_ENTRIES, ram, submissions, completions);
    client.writeInt(NvmeRegisters.BAR, NvmeRegisters.CC, ENABLE);
  }

  /** Ends {@link #start}. */
  void awaitReady() throws Exception {
    Wire.await("CSTS.RDY", () -> (status() & NvmeRegisters.CSTS_RDY) != 0);
    assertThat(status()).as("CSTS").isEqualTo(NvmeRegisters.CSTS_RDY);
    int granted =
        admin.succeed(
            SubmissionEntry.builder(AdminOpcode.SET_FEATURES)
                .dword(10, NUMBER_OF_QUEUES)
                .dword(11, 0x00ff_00ff));
    queues = (granted & 0xffff) + 1;
  }

  private NvmeQueue queue(
      int id, int entries, Area submissionArea, long submissions, long completions) {
    long length = (long) entries * CompletionEntry.BYTES;
    MemorySegment ring = memory.bytes().asSlice(completions, length);
    ring.fill((byte) 0);
    return new NvmeQueue(
        id,
        entries,
        submissionArea.bytes.asSlice(submissions, (long) entries * SubmissionEntry.BYTES),
        ring,
        doorbells,
        events.get(id));
  }

  /** Clears CC.EN and waits until CSTS.RDY is clear. */
  void disable() throws Exception {
    client.writeInt(NvmeRegisters.BAR, NvmeRegisters.CC, 0);
    Wire.await("CSTS.RDY clear", () -> (status() & NvmeRegisters.CSTS_RDY) == 0);
  }

  int status() throws IOException {
    return client.readInt(NvmeRegisters.BAR, NvmeRegisters.CSTS);
  }

  ConfigSpace config() {
    return config;
  }

  GuestMemory memory() {
    return memory;
  }

  Mapping cmb() {
    return cmbMapping.orElseThrow();
  }

  NvmeQueue admin() {
    return admin;
  }

  /** How many pairs of I/O queues the controller grants. */
  int queues() {
    return queues;
  }

  /** Data in the driver's memory; until the next start. */
  NvmeBuffer ram(long size) {
    return ram.buffer(size);
  }

  /** Data in the controller's own memory; until the next start. */
  NvmeBuffer cmb(long size) {
    return cmb.buffer(size);
  }

  /** An I/O queue in the driver's memory, with the vector of its own number. */
  NvmeQueue createQueue(int id, int entries) throws IOException {
    return createQueue(id, entries, ram);
  }

  /** An I/O queue whose submission queue is in the controller's memory. */
  NvmeQueue createQueueInCmb(int id, int entries) throws IOException {
    return createQueue(id, entries, cmb);
  }

  private NvmeQueue createQueue(int id, int entries, Area submissionArea) throws IOException {
    long submissions = submissionArea.take((long) entries * SubmissionEntry.BYTES);
    long completions = ram.take((long) entries * CompletionEntry.BYTES);
    NvmeQueue queue = queue(id, entries, submissionArea, submissions, completions);
    admin.succeed(
        SubmissionEntry.builder(AdminOpcode.CREATE_IO_COMPLETION_QUEUE)
            .prp1(RAM + completions)
            .dword(10, id | entries - 1 << 16)
            .dword(11, id << 16 | INTERRUPTS_ENABLED | PHYSICALLY_CONTIGUOUS));
    admin.succeed(
        SubmissionEntry.builder(AdminOpcode.CREATE_IO_SUBMISSION_QUEUE)
            .prp1(submissionArea.iova + submissions)
            .dword(10, id | entries - 1 << 16)
            .dword(11, id << 16 | PHYSICALLY_CONTIGUOUS));
    return queue;
  }

  List<NvmeQueue> createQueues(int count, int entries) throws IOException {
    List<NvmeQueue> made = new ArrayList<>();
    for (int id = 1; id <= count; id++) {
      made.add(createQueue(id, entries));
    }
    return made;
  }

  /** An Identify data structure: 0 a namespace, 1 the controller. */
  MemorySegment identify(int structure, int namespace) throws IOException {
    NvmeBuffer data = ram(IDENTIFY_BYTES);
    admin.succeed(
        SubmissionEntry.builder(AdminOpcode.IDENTIFY)
            .namespaceId(namespace)
            .prp1(data.iova())
            .dword(10, structure));
    return data.bytes();
  }

  /** A command on blocks of the namespace. */
  static SubmissionEntry.Builder command(IoOpcode opcode, long lba, int blocks) {
    return SubmissionEntry.builder(opcode).namespaceId(1).qword(10, lba).dword(12, blocks - 1);
  }

  static SubmissionEntry.Builder flush() {
    return SubmissionEntry.builder(IoOpcode.FLUSH).namespaceId(1);
  }

  /** Reads blocks to fill a buffer. */
  static SubmissionEntry.Builder read(long lba, NvmeBuffer data) {
    return transfer(IoOpcode.READ, lba, data);
  }

  /** Writes blocks from all of a buffer. */
  static SubmissionEntry.Builder write(long lba, NvmeBuffer data) {
    return transfer(IoOpcode.WRITE, lba, data);
  }

  private static SubmissionEntry.Builder transfer(IoOpcode opcode, long lba, NvmeBuffer data) {
    long length = data.bytes().byteSize();
    return data.point(command(opcode, lba, (int) (length / NvmeWire.LBA)), length);
  }

  // Interrupts.

  /** Forgets interrupts that have been signalled by now. */
  void forgetInterrupts() throws IOException {
    for (FileDescriptor event : events) {
      EventDescriptor.read(event);
    }
  }

  /** The vectors that have been signalled by now. */
  List<Integer> interrupts() throws IOException {
    List<Integer> signalled = new ArrayList<>();
    for (int vector : IntStream.range(0, events.size()).toArray()) {
      if (EventDescriptor.read(events.get(vector)) != 0) {
        signalled.add(vector);
      }
    }
    return signalled;
  }

  /** Takes the driver's memory away from the device and puts it back. */
  void mapAnew() throws IOException {
    client.dmaUnmap(RAM, RAM_SIZE);
    client.dmaMap(Wire.READ_WRITE, 0, RAM, RAM_SIZE, Optional.of(memory.file()));
  }

  // Other doorbells.

  /** Rings queues that are made from now on by messages. */
  void ringByRegisters() {
    doorbells = new NvmeDoorbells.Registers(client);
  }

  /** Rings queues that are made from now on through the mapped page, which has to be there. */
  Mapping ringByStores() throws IOException {
    Mapping page =
        map(NvmeRegisters.BAR, NvmeRegisters.DOORBELLS, NvmeRegisters.DOORBELLS_LENGTH)
            .orElseThrow();
    doorbells = new NvmeDoorbells.Stores(page.segment());
    return page;
  }

  /** Sets up shadow doorbells, which queues that are made from now on use. */
  NvmeDoorbells.Shadow ringByShadow() throws IOException {
    NvmeBuffer shadow = ram(PAGE);
    NvmeBuffer events = ram(PAGE);
    shadow.bytes().fill((byte) 0);
    events.bytes().fill((byte) 0);
    admin.succeed(
        SubmissionEntry.builder(AdminOpcode.DOORBELL_BUFFER_CONFIG)
            .prp1(shadow.iova())
            .prp2(events.iova()));
    NvmeDoorbells.Shadow made =
        new NvmeDoorbells.Shadow(
            shadow.bytes(), events.bytes(), new NvmeDoorbells.Registers(client));
    doorbells = made;
    return made;
  }

  @Override
  public void close() {
    cmbMapping.ifPresent(Mapping::close);
    events.forEach(FileDescriptor::close);
    memory.close();
  }
}
