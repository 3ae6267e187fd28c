package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.server.fixture.OpenFiles;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
final class JobDmaTest {
  private static final long PAGE = DmaTable.PAGE_SIZE;
  private static final long RAM = 4 << 20;
  private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();

  private final ExecutorService functionThread = Executors.newSingleThreadExecutor();
  private final BusMaster bus = new BusMaster(functionThread, 1000);
  private final JobState job = new JobState();
  private final Dma dma = bus.dma(job, new EngineName("test", "engine"), new Bounce());
  private final Arena arena = Arena.ofShared();
  private FileDescriptor file;
  private Mapping ram;

  @BeforeEach
  void createMemory() throws Exception {
    file = SharedMemory.create("job-dma-test", RAM);
    ram = SharedMemory.map(file, 0, RAM, SharedMemory.Access.READ_WRITE);
    bus.enable(true);
  }

  @AfterEach
  void free() throws Exception {
    functionThread.shutdownNow();
    assertThat(functionThread.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
    bus.table().clear();
    ram.close();
    file.close();
    arena.close();
  }

  private void map(long iova, long size, long offset) throws Exception {
    bus.table().map(iova, size, true, true, offset, Optional.of(file.duplicate()));
  }

  private MemorySegment random(long size, long seed) {
    byte[] bytes = new byte[(int) size];
    new Random(seed).nextBytes(bytes);
    MemorySegment segment = arena.allocate(size);
    segment.copyFrom(MemorySegment.ofArray(bytes));
    return segment;
  }

  private static void faults(
      Access access, Reason reason, long iova, long transferred, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            DmaFaultException.class,
            fault -> {
              assertThat(fault.access()).isEqualTo(access);
              assertThat(fault.reason()).isEqualTo(reason);
              assertThat(fault.iova()).isEqualTo(iova);
              assertThat(fault.transferred()).isEqualTo(transferred);
            });
  }

  @Test
  void crossesMappingsThatLieApartInTheFile() throws Exception {
    for (int i = 0; i < 256; i++) {
      map(0x10000 + i * PAGE, PAGE, (255 - i) * PAGE);
    }
    MemorySegment data = random(200 * PAGE + 123, 1);
    dma.write(0x10000 + 77, data);
    MemorySegment back = arena.allocate(data.byteSize());
    dma.read(0x10000 + 77, back);
    assertThat(back.mismatch(data)).isEqualTo(-1);
    assertThat(ram.segment().asSlice(255 * PAGE + 77, 100).mismatch(data.asSlice(0, 100)))
        .isEqualTo(-1);
  }

  @Test
  void movesPartsOfSegments() throws Exception {
    map(0x10000, PAGE, 0);
    map(0x10000 + PAGE, PAGE, 4 * PAGE);
    MemorySegment data = random(2 * PAGE, 11);
    dma.write(0x10000 + 16, data, PAGE - 8, PAGE);
    MemorySegment back = arena.allocate(2 * PAGE);
    dma.read(0x10000 + 16, back, 24, PAGE);
    assertThat(MemorySegment.mismatch(back, 24, 24 + PAGE, data, PAGE - 8, 2 * PAGE - 8))
        .isEqualTo(-1);
    assertThat(back.get(ValueLayout.JAVA_BYTE, 23)).isZero();
    assertThat(back.get(ValueLayout.JAVA_BYTE, 24 + PAGE)).isZero();
    faults(
        Access.WRITE,
        Reason.UNMAPPED,
        0x10000 + 2 * PAGE,
        100,
        () -> dma.write(0x10000 + 2 * PAGE - 100, data, 700, 200));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 8, 0x10000",
    "24, 8, 0x10000",
    "0, 4, 0x10ff0",
    "24, 8, 0x10ff0",
    "0, 32, 0x10040"
  })
  void writesAnEntryWithItsFlagWhereverItLies(long flagOffset, long flagBytes, String where)
      throws Exception {
    map(0x10000, PAGE, 0);
    map(0x10000 + PAGE, PAGE, 4 * PAGE);
    long iova = Long.decode(where);
    MemorySegment entry = random(32, 12);
    dma.writeFlagged(iova, entry, flagOffset, flagBytes);
    MemorySegment back = arena.allocate(32);
    dma.read(iova, back);
    assertThat(back.mismatch(entry)).isEqualTo(-1);
  }

  /** The flag says that the rest is there. */
  @Test
  void writesNoFlagWithoutTheRest() throws Exception {
    map(0x10000, PAGE, 0);
    bus.table().map(0x10000 + PAGE, PAGE, true, false, PAGE, Optional.of(file.duplicate()));
    MemorySegment entry = random(32, 13);
    faults(
        Access.WRITE,
        Reason.NOT_PERMITTED,
        0x10000 + PAGE,
        8,
        () -> dma.writeFlagged(0x10000 + PAGE - 16, entry, 0, 8));
    assertThat(ram.segment().get(ValueLayout.JAVA_LONG, PAGE - 16)).as("the flag").isZero();
    assertThat(ram.segment().get(ValueLayout.JAVA_LONG, PAGE - 8)).isNotZero();
    faults(
        Access.WRITE, Reason.UNMAPPED, 0x20000, 0, () -> dma.writeFlagged(0x20000, entry, 24, 8));
  }

  @Test
  void moves128KibInPlaceAndLeavesTheRest() throws Exception {
    map(0x100000, 1 << 20, 0);
    bus.table().map(0x800000, PAGE, true, true, 0, Optional.empty());
    Dma inPlace = bus.dmaInPlace(job, new EngineName("test", "polled"), new Bounce());
    MemorySegment data = random((128 << 10) + 1, 14);
    inPlace.write(0x100000, data, 0, 128 << 10);
    assertThat(MemorySegment.mismatch(ram.segment(), 0, 128 << 10, data, 0, 128 << 10))
        .isEqualTo(-1);
    mustWait(() -> inPlace.write(0x100000, data));
    mustWait(() -> inPlace.read(0x100000, data));
    mustWait(() -> inPlace.copy(0x100000, 0x180000, data.byteSize()));
    mustWait(() -> inPlace.local(data, arena.allocate(data.byteSize())));
    mustWait(inPlace::takesLong);
    mustWait(() -> inPlace.read(0x800000, data, 0, 1));
    mustWait(() -> inPlace.copy(0x100000, 0x800000, 8));
    mustWait(() -> inPlace.writeFlagged(0x800000, data.asSlice(0, 16), 8, 8));
    assertThat(inPlace.mayWait(0x100000, 1 << 20)).isFalse();
    assertThat(inPlace.mayWait(0x100000, (1 << 20) + 1)).as("a fault need not wait").isFalse();
    assertThat(inPlace.mayWait(0x800000, 1)).isTrue();
    faults(Access.READ, Reason.UNMAPPED, 0x700000, 0, () -> inPlace.read(0x700000, data, 0, 1));
  }

  private static void mustWait(ThrowingCallable call) {
    assertThatThrownBy(call).isSameAs(MustWaitException.INSTANCE);
  }

  @Test
  void faultsAtTheFirstByteThatIsNotMapped() throws Exception {
    map(0x10000, 2 * PAGE, 0);
    MemorySegment data = random(4 * PAGE, 2);
    faults(Access.WRITE, Reason.UNMAPPED, 0x12000, 2 * PAGE - 8, () -> dma.write(0x10008, data));
    assertThat(ram.segment().asSlice(8, 2 * PAGE - 8).mismatch(data.asSlice(0, 2 * PAGE - 8)))
        .isEqualTo(-1);
    faults(Access.READ, Reason.UNMAPPED, 0xfff0, 0, () -> dma.read(0xfff0, data));
  }

  @Test
  void honoursThePermissionsOfAMapping() throws Exception {
    bus.table().map(0x1000, PAGE, true, false, 0, Optional.of(file.duplicate()));
    bus.table().map(0x2000, PAGE, false, true, 0, Optional.of(file.duplicate()));
    MemorySegment data = random(8, 3);
    faults(Access.WRITE, Reason.NOT_PERMITTED, 0x1000, 0, () -> dma.write(0x1000, data));
    faults(Access.READ, Reason.NOT_PERMITTED, 0x2000, 0, () -> dma.read(0x2000, data));
    dma.read(0x1000, data);
    dma.write(0x2000, data);
  }

  @Test
  void mastersTheBusOnlyWhileItMay() throws Exception {
    map(0x1000, PAGE, 0);
    bus.enable(false);
    MemorySegment data = random(8, 4);
    faults(Access.READ, Reason.BUS_MASTER_DISABLED, 0x1000, 0, () -> dma.read(0x1000, data));
  }

  @Test
  void copiesBetweenMappings() throws Exception {
    map(0x100000, 1 << 20, 0);
    map(0x800000, 1 << 20, 2 << 20);
    MemorySegment data = random(1 << 20, 5);
    dma.write(0x100000, data);
    dma.copy(0x100000, 0x800000, 1 << 20);
    assertThat(ram.segment().asSlice(2 << 20, 1 << 20).mismatch(data)).isEqualTo(-1);
    faults(
        Access.WRITE,
        Reason.UNMAPPED,
        0x900000,
        PAGE,
        () -> dma.copy(0x100000, 0x900000 - PAGE, 2 * PAGE));
  }

  @Test
  void aFileThatShrankIsAFault() throws Exception {
    java.nio.file.Path path = java.nio.file.Files.createTempFile("peerbar", "ram");
    try (var resizable = new java.io.RandomAccessFile(path.toFile(), "rw")) {
      resizable.setLength(4 * PAGE);
      FileDescriptor descriptor = OpenFiles.readWrite(path);
      bus.table().map(0, 4 * PAGE, true, true, 0, Optional.of(descriptor));
      MemorySegment data = random(4 * PAGE, 6);
      dma.write(0, data);
      MemorySegment back = arena.allocate(4 * PAGE);
      dma.read(0, back);
      assertThat(back.mismatch(data)).isEqualTo(-1);
      resizable.setLength(PAGE);
      faults(Access.READ, Reason.CLIENT_FAILED, 0, 0, () -> dma.read(0, back));
      faults(Access.WRITE, Reason.CLIENT_FAILED, 0x1000, 0, () -> dma.write(0x1000, data));
      assertThat(resizable.length()).isEqualTo(PAGE);
    } finally {
      java.nio.file.Files.delete(path);
    }
  }

  /** Every pair of ways that bytes can go between, over borders that lie anywhere in a page. */
  @Test
  void copiesCrossEveryKindOfMemory() throws Exception {
    MemorySegment peer = arena.allocate(4 << 20);
    answering(peer, 64 << 10);
    long size = 1 << 20;
    try (FileDescriptor first = resizable();
        FileDescriptor second = resizable()) {
      bus.table().map(0, size, true, true, 0, Optional.empty());
      map(size, size, 0);
      bus.table().map(2 * size, size, true, true, 0, Optional.of(first.duplicate()));
      bus.table()
          .files()
          .openWith((file, status, fileSystem, _) ->
              ClientFile.open(file, status, fileSystem, Reach.BY_DESCRIPTOR));
      bus.table().map(3 * size, size, true, true, 0, Optional.of(second.duplicate()));
      MemorySegment model = random(4 * size, 12);
      dma.write(0, model);
      Random random = new Random(13);
      for (int i = 0; i < 200; i++) {
        long length = random.nextLong(2 * size);
        long from = random.nextLong(2 * size - length);
        long to = 2 * size + random.nextLong(2 * size - length);
        if (random.nextBoolean()) {
          long other = from;
          from = to;
          to = other;
        }
        dma.copy(from, to, length);
        MemorySegment.copy(model, from, model, to, length);
      }
      MemorySegment back = arena.allocate(4 * size);
      dma.read(0, back);
      assertThat(back.mismatch(model)).isEqualTo(-1);
      for (long page = 0; page < 4 * size; page += PAGE) {
        MemorySegment word = arena.allocate(8, 8);
        dma.read(page + 16, word);
        assertThat(word.mismatch(model.asSlice(page + 16, 8))).isEqualTo(-1);
      }
    }
  }

  /** A memory file that the processor may not simply touch. */
  private FileDescriptor resizable() throws Exception {
    java.nio.file.Path path =
        java.nio.file.Files.createTempFile(java.nio.file.Path.of("/dev/shm"), "job-dma", "");
    FileDescriptor descriptor = OpenFiles.readWrite(path);
    try (var file = new java.io.RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(RAM);
    }
    java.nio.file.Files.delete(path);
    return descriptor;
  }

  /** Words of memory that only the kernel touches are seen whole, in both directions. */
  @Test
  void wordsOfMemoryThatMayGoAreNotTorn() throws Exception {
    try (FileDescriptor descriptor = resizable();
        Mapping mapping = SharedMemory.map(descriptor, 0, RAM, SharedMemory.Access.READ_WRITE)) {
      bus.table().map(0, RAM, true, true, 0, Optional.of(descriptor.duplicate()));
      MemorySegment client = mapping.segment();
      AtomicBoolean over = new AtomicBoolean();
      AtomicLong torn = new AtomicLong();
      Thread other =
          Thread.ofPlatform()
              .start(() -> {
                for (long word = -1; !over.get(); word = ~word) {
                  WORD.setRelease(client, 0L, word);
                  long seen = (long) WORD.getAcquire(client, PAGE);
                  if (seen != 0 && seen != -1) {
                    torn.incrementAndGet();
                  }
                }
              });
      MemorySegment word = arena.allocate(8, 8);
      for (int i = 0; i < 50_000; i++) {
        dma.read(0, word);
        long seen = word.get(ValueLayout.JAVA_LONG, 0);
        assertThat(seen == 0 || seen == -1).as("%x", seen).isTrue();
        dma.read(4, word.asSlice(0, 4));
        int half = word.get(ValueLayout.JAVA_INT, 0);
        assertThat(half == 0 || half == -1).as("%x", half).isTrue();
        word.set(ValueLayout.JAVA_LONG, 0, -(i & 1));
        dma.write(PAGE, word);
      }
      over.set(true);
      other.join();
      assertThat(torn.get()).isZero();
    }
  }

  @Test
  void whatIsWrittenToADiskIsLogged() throws Exception {
    MemorySegment disk = arena.allocate(RAM);
    WaitingFiles files = WaitingFiles.install(bus, disk);
    map(0, RAM, 0);
    bus.startLogging(List.of());
    Thread engine =
        Thread.ofPlatform()
            .start(() -> {
              try {
                dma.write(3 * PAGE + 5, random(PAGE, 14));
              } catch (DmaFaultException | JobEndedException e) {
                throw new AssertionError(e);
              }
            });
    files.awaitBegun();
    files.letGo();
    engine.join();
    long[] bitmap = new long[1];
    bus.dirtyLog().orElseThrow().report(0, 8 * PAGE, PAGE, MemorySegment.ofArray(bitmap));
    assertThat(bitmap).containsExactly(0b11000L);
  }

  /** The gate is free while a disk is waited for, and the table changes. */
  @Test
  void aDiskKeepsNobodyWaitingButItsJob() throws Exception {
    WaitingFiles files = WaitingFiles.install(bus, arena.allocate(RAM).fill((byte) 7));
    map(0, RAM, 0);
    MemorySegment into = arena.allocate(PAGE);
    Thread engine =
        Thread.ofPlatform()
            .start(() ->
                assertThatThrownBy(() -> dma.read(0, into)).isInstanceOf(JobEndedException.class));
    files.awaitBegun();
    bus.table().unmap(0, RAM);
    assertThat(bus.gate().slowPieces().unsettled()).isTrue();
    job.end();
    boolean[] settled = new boolean[1];
    bus.gate().slowPieces().whenSettled(() -> settled[0] = true);
    assertThat(bus.gate().slowPieces().unsettled()).isFalse();
    assertThat(settled[0]).isFalse();
    files.letGo();
    engine.join();
    assertThat(settled[0]).isTrue();
    assertThat(into.mismatch(arena.allocate(PAGE))).as("a job that had ended").isEqualTo(-1);
    bus.gate().revoke(() -> {});
    assertThat(bus.gate().slowPieces().unsettled()).isFalse();
  }

  @Test
  void anEndedJobTouchesNothing() throws Exception {
    map(0x1000, PAGE, 0);
    job.end();
    assertThatThrownBy(() -> dma.write(0x1000, random(8, 7))).isInstanceOf(JobEndedException.class);
    assertThatThrownBy(() -> dma.local(arena.allocate(8), arena.allocate(8)))
        .isInstanceOf(JobEndedException.class);
    assertThat(ram.segment().get(ValueLayout.JAVA_LONG, 0)).isZero();
  }

  /** No byte of a range changes once its unmap has returned, however hard an engine writes. */
  @Test
  void unmapDrainsWhatIsInFlight() throws Exception {
    MemorySegment ones = arena.allocate(1 << 20).fill((byte) 1);
    for (int round = 0; round < 50; round++) {
      map(0x100000, 1 << 20, 0);
      Thread engine =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  while (true) {
                    dma.write(0x100000, ones);
                  }
                } catch (DmaFaultException | JobEndedException expected) {
                  // The range has gone.
                }
              });
      while (ram.segment().get(ValueLayout.JAVA_BYTE, 0) == 0) {
        Thread.onSpinWait();
      }
      bus.table().unmap(0x100000, 1 << 20);
      ram.segment().asSlice(0, 1 << 20).fill((byte) 0);
      engine.join();
      assertThat(ram.segment().asSlice(0, 1 << 20).mismatch(arena.allocate(1 << 20))).isEqualTo(-1);
    }
  }

  /** A client that is asked by messages, and answers when the test says so. */
  private final class FakeClient implements MessagePath {
    private final List<Runnable> unanswered = new ArrayList<>();
    private final MemorySegment memory;
    private final int maxTransfer;
    private int abandoned;
    private int mostInFlight;

    FakeClient(MemorySegment memory, int maxTransfer) {
      this.memory = memory;
      this.maxTransfer = maxTransfer;
    }

    @Override
    public int maxTransfer() {
      return maxTransfer;
    }

    @Override
    public Exchange read(long address, MemorySegment into, Completion completion) {
      return exchange(
          into.byteSize(),
          completion,
          () -> into.copyFrom(memory.asSlice(address, into.byteSize())));
    }

    @Override
    public Exchange write(long address, MemorySegment from, Completion completion) {
      return exchange(
          from.byteSize(),
          completion,
          () -> memory.asSlice(address, from.byteSize()).copyFrom(from));
    }

    private synchronized Exchange exchange(long size, Completion completion, Runnable effect) {
      assertThat(size).isLessThanOrEqualTo(maxTransfer);
      boolean[] dropped = new boolean[1];
      if (!completion.mayBegin()) {
        functionThread.execute(completion::failed);
        return () -> {};
      }
      unanswered.add(() -> {
        if (!dropped[0]) {
          effect.run();
          completion.done();
        }
      });
      mostInFlight = Math.max(mostInFlight, unanswered.size());
      return () -> {
        dropped[0] = true;
        abandoned++;
      };
    }

    synchronized boolean answerOne() {
      if (unanswered.isEmpty()) {
        return false;
      }
      unanswered.removeFirst().run();
      return true;
    }
  }

  private FakeClient answering(MemorySegment memory, int maxTransfer) {
    FakeClient client = new FakeClient(memory, maxTransfer);
    bus.messages(Optional.of(client));
    functionThread.execute(
        new Runnable() {
          @Override
          public void run() {
            client.answerOne();
            if (!functionThread.isShutdown()) {
              functionThread.execute(this);
            }
          }
        });
    return client;
  }

  @Test
  void goesByMessagesWhereNoFileCame() throws Exception {
    MemorySegment peer = arena.allocate(4 << 20);
    FakeClient client = answering(peer, 64 << 10);
    bus.table().map(0, 4 << 20, true, true, 0, Optional.empty());
    MemorySegment data = random(3_000_001, 8);
    dma.write(5, data);
    assertThat(peer.asSlice(5, data.byteSize()).mismatch(data)).isEqualTo(-1);
    MemorySegment back = arena.allocate(data.byteSize());
    dma.read(5, back);
    assertThat(back.mismatch(data)).isEqualTo(-1);
    assertThat(client.mostInFlight).isBetween(2, MessageLimits.DEFAULTS.inFlight());
  }

  @Test
  void copiesBetweenFileAndMessages() throws Exception {
    MemorySegment peer = arena.allocate(4 << 20);
    answering(peer, 1 << 20);
    bus.table().map(0, 4 << 20, true, true, 0, Optional.empty());
    map(0x1000_0000, RAM, 0);
    MemorySegment data = random(RAM - 3, 9);
    ram.segment().asSlice(0, RAM - 3).copyFrom(data);
    dma.copy(0x1000_0000, 1, RAM - 3);
    assertThat(peer.asSlice(1, RAM - 3).mismatch(data)).isEqualTo(-1);
    ram.segment().fill((byte) 0);
    dma.copy(1, 0x1000_0000, RAM - 3);
    assertThat(ram.segment().asSlice(0, RAM - 3).mismatch(data)).isEqualTo(-1);
  }

  @Test
  void endingAJobFreesItFromAClientThatNeverAnswers() throws Exception {
    FakeClient silent = new FakeClient(arena.allocate(1 << 20), 64 << 10);
    bus.messages(Optional.of(silent));
    bus.table().map(0, 1 << 20, true, true, 0, Optional.empty());
    Thread engine =
        Thread.ofPlatform()
            .start(() ->
                assertThatThrownBy(() -> dma.write(0, random(1 << 20, 10)))
                    .isInstanceOf(JobEndedException.class));
    while (functionThread.submit(() -> silent.unanswered.isEmpty()).get()) {
      Thread.onSpinWait();
    }
    functionThread.submit(job::end).get();
    engine.join();
    functionThread.submit(() -> assertThat(silent.abandoned).isPositive()).get();
    functionThread
        .submit(() -> {
          while (silent.answerOne()) {}
        })
        .get();
    assertThat(silent.memory.mismatch(arena.allocate(1 << 20))).isEqualTo(-1);
  }

  /** Nobody waits for messages that are under way, and their answers do nothing. */
  @ParameterizedTest
  @CsvSource({"1, 0", "3, 1"})
  void whatSendingThrowsIsThrownOn(int failing, int underWay) throws Exception {
    OutOfMemoryError thrown = new OutOfMemoryError("no buffer");
    List<MessagePath.Completion> unanswered = new ArrayList<>();
    int[] abandoned = {0};
    bus.messages(
        Optional.of(
            new MessagePath() {
              @Override
              public int maxTransfer() {
                return 4096;
              }

              @Override
              public Exchange read(long address, MemorySegment into, Completion completion) {
                if (address == 0x1000 * failing) {
                  throw thrown;
                }
                if (address == 0x1000 || address == 0x8000) {
                  functionThread.execute(completion::done);
                } else {
                  unanswered.add(completion);
                }
                return () -> abandoned[0]++;
              }

              @Override
              public Exchange write(long address, MemorySegment from, Completion completion) {
                return read(address, from, completion);
              }
            }));
    bus.table().map(0, 1 << 20, true, true, 0, Optional.empty());
    assertThatThrownBy(() -> dma.write(0x1000, random(1 << 16, 12))).hasCause(thrown);
    functionThread
        .submit(() -> {
          List.copyOf(unanswered).forEach(MessagePath.Completion::done);
          assertThat(unanswered).as("nothing is sent after it").hasSize(underWay);
          assertThat(abandoned[0]).isEqualTo(underWay);
        })
        .get();
    dma.write(0x8000, random(4096, 13));
  }

  @Test
  void aRefusedMessageIsAFault() throws Exception {
    bus.table().map(0, 1 << 20, true, true, 0, Optional.empty());
    faults(Access.WRITE, Reason.CLIENT_FAILED, 0x1000, 0, () -> dma.write(0x1000, random(64, 11)));
    bus.messages(
        Optional.of(
            new MessagePath() {
              @Override
              public int maxTransfer() {
                return 4096;
              }

              @Override
              public Exchange read(long address, MemorySegment into, Completion completion) {
                functionThread.execute(address == 0x3000 ? completion::failed : completion::done);
                return () -> {};
              }

              @Override
              public Exchange write(long address, MemorySegment from, Completion completion) {
                return read(address, from, completion);
              }
            }));
    faults(
        Access.READ,
        Reason.CLIENT_FAILED,
        0x3000,
        0x2000,
        () -> dma.read(0x1000, arena.allocate(0x8000)));
  }
}
