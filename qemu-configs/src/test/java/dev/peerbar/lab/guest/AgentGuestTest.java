package dev.peerbar.lab.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.driver.Config;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.lab.uapi.Ioctl;
import dev.peerbar.lab.uapi.VfioIoctls;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** The agent in a guest, called from many threads. One boot for all. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(180)
@Tag("guest")
final class AgentGuestTest {
  private static final Duration LIMIT = Duration.ofSeconds(120);
  private static final Duration SHORT = Duration.ofMillis(100);
  private static final int S_IFIFO = 0010600;
  private static final int CLOCK_MONOTONIC = 1;
  private static final int THREADS = 32;
  private static final int PART = 64 << 10;
  private static final long CMB = 16L << 20;

  private final AtomicInteger names = new AtomicInteger();
  private final List<String> fifos = new ArrayList<>();
  private Lab lab;
  private Guest guest;
  private GuestAgent agent;
  private GuestSystem system;
  private List<OpenFile> openBefore;

  @BeforeAll
  @Timeout(600)
  void boot() throws Exception {
    VirtualMachine machine =
        VirtualMachine.of(Topology.named("one-switch"))
            .withArguments("-drive", "if=none,id=disk,driver=null-co,size=16M,read-zeroes=on")
            .withArguments("-device", "nvme,drive=disk,serial=peerbar,cmb_size_mb=16,bus=port-b");
    lab =
        Lab.boot(
            Setup.ofUser(SetupOutput.toStandardError()).run(),
            machine,
            Path.of("target", "lab-logs", "agent"));
    guest = lab.guest();
    agent = guest.agent();
    system = guest.system();
  }

  @AfterAll
  void shutDown() throws Exception {
    if (lab != null) {
      try (Lab ending = lab) {
        assertThat(ending.powerOff()).isEmpty();
      }
      assertThatThrownBy(() -> agent.load(16, 4)).isInstanceOf(GuestGoneException.class);
    }
  }

  @BeforeEach
  void lookAround() throws Exception {
    openBefore = system.openFiles();
  }

  @AfterEach
  void nothingIsLeft() throws Exception {
    for (String fifo : fifos) { // if a test failed, somebody may still wait for the other end
      system.close(system.open(fifo, OpenFlag.READ_WRITE));
    }
    fifos.clear();
    assertThat(agent.underWay()).isEmpty();
    assertThat(system.openFiles()).isEqualTo(openBefore);
  }

  private static <T> FutureTask<T> started(Callable<T> body) {
    FutureTask<T> task = new FutureTask<>(body);
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  private static <T> List<FutureTask<T>> started(int count, IndexedBody<T> body) {
    List<FutureTask<T>> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int index = i;
      all.add(started(() -> body.run(index)));
    }
    return all;
  }

  private interface IndexedBody<T> {
    T run(int index) throws Exception;
  }

  /** A named pipe, whose opening waits for somebody who opens it the other way. */
  private String fifo() throws IOException {
    String path = "/tmp/fifo-" + names.incrementAndGet();
    agent.syscall(Syscall.MKNOD, Argument.text(path), Argument.of(S_IFIFO), Argument.of(0));
    fifos.add(path);
    return path;
  }

  private void signal(EventFd event, long count) throws IOException {
    byte[] bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(count).array();
    agent.syscall(Syscall.WRITE, Argument.of(event.fd()), Argument.in(bytes), Argument.of(8));
  }

  /** The guest's monotonic clock, in nanoseconds. */
  private long clock() throws IOException {
    byte[] time = new byte[16];
    agent.syscall(Syscall.CLOCK_GETTIME, Argument.of(CLOCK_MONOTONIC), Argument.out(time));
    ByteBuffer b = ByteBuffer.wrap(time).order(ByteOrder.LITTLE_ENDIAN);
    return b.getLong() * 1_000_000_000 + b.getLong();
  }

  /** Waits, by making calls, until so many are under way in the guest. */
  private void awaitUnderWay(int count) throws IOException {
    while (agent.underWay().size() != count) {
      Thread.onSpinWait();
    }
  }

  @Test
  void everyCallHasItsOwnContents() throws Exception {
    try (GuestMemory memory = guest.allocate((long) THREADS * PART)) {
      for (FutureTask<Void> thread : started(THREADS, i -> worksAlone(memory, i))) {
        thread.get();
      }
      for (int i = 0; i < THREADS; i++) {
        assertThat(memory.verifyPattern((long) i * PART, PART, seed(i, 9))).isEmpty();
      }
    }
  }

  private static long seed(int thread, int round) {
    return (thread * 10L + round) << 32;
  }

  private Void worksAlone(GuestMemory memory, int index) throws IOException {
    Random random = new Random(index);
    long at = (long) index * PART;
    String path = "/tmp/own-" + index;
    int fd = system.open(path, OpenFlag.READ_WRITE, OpenFlag.CREATE);
    try {
      for (int round = 0; round < 10; round++) {
        byte[] bytes = new byte[1 + random.nextInt(PART)];
        random.nextBytes(bytes);
        assertThat(system.pwrite(fd, bytes, 0)).isEqualTo(bytes.length);
        memory.write(at, bytes);
        assertThat(system.pread(fd, bytes.length, 0)).isEqualTo(bytes);
        assertThat(memory.read(at, bytes.length)).isEqualTo(bytes);
        memory.fillPattern(at, PART, seed(index, round));
        assertThat(memory.verifyPattern(at, PART, seed(index, round))).isEmpty();
        assertThat(memory.loadLong(at + 8)).isEqualTo(Pattern.word(seed(index, round), 1));
        assertThat(system.readLink("/proc/self/fd/" + fd)).isEqualTo(path);
      }
    } finally {
      system.close(fd);
      agent.syscall(Syscall.UNLINK, Argument.text(path));
    }
    return null;
  }

  @Test
  void callsThatWaitDoNotHoldUpOthers() throws Exception {
    List<EventFd> events = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      events.add(guest.eventFd());
    }
    List<FutureTask<Long>> waits = started(THREADS, i -> events.get(i).await(LIMIT));
    awaitUnderWay(THREADS);
    for (int i = THREADS - 1; i >= 0; i--) {
      signal(events.get(i), i + 1);
      assertThat(waits.get(i).get()).isEqualTo(i + 1);
      events.get(i).close();
    }
  }

  @Test
  void onlyOneWaitTakesAnEvent() throws Exception {
    try (EventFd event = guest.eventFd()) {
      List<FutureTask<Long>> waits = started(4, _ -> event.await(LIMIT));
      awaitUnderWay(4);
      for (int left = 3; left >= 0; left--) {
        signal(event, 7);
        awaitUnderWay(left);
      }
      for (FutureTask<Long> wait : waits) {
        assertThat(wait.get()).isEqualTo(7);
      }
    }
  }

  @Test
  void aCallThatHangsInTheKernelCostsItself() throws Exception {
    String path = fifo();
    assertThatThrownBy(() ->
            agent.syscall(
                "open " + path,
                Syscall.OPENAT,
                SHORT,
                Argument.of(-100),
                Argument.text(path),
                Argument.of(0)))
        .isInstanceOf(GuestCallTimeoutException.class)
        .hasMessage("open " + path + " did not end within 100 ms");
    assertThat(agent.underWay())
        .singleElement()
        .satisfies(thread -> {
          assertThat(thread.call().call()).isEqualTo("open " + path);
          assertThat(thread.call().state()).isEqualTo(CallRecord.State.GIVEN_UP);
          assertThat(thread.since()).isGreaterThan(Duration.ZERO);
          assertThat(thread.systemCall()).startsWith("257 ");
          assertThat(thread.waitingIn()).isNotEmpty().isNotEqualTo("0");
          assertThat(thread.toString()).contains("open " + path, thread.waitingIn());
        });
    callsThatWaitDoNotHoldUpOthers(1);

    system.close(system.open(path, OpenFlag.WRITE_ONLY));
    awaitUnderWay(0);
    assertThat(agent.history())
        .filteredOn(r -> r.state() == CallRecord.State.ANSWERED_LATE)
        .extracting(CallRecord::call)
        .containsExactly("open " + path);
    // What it opened is nobody's.
    List<OpenFile> left = new ArrayList<>(system.openFiles());
    left.removeAll(openBefore);
    assertThat(left).extracting(OpenFile::target).containsExactly(path);
    system.close(left.getFirst().fd());
  }

  private void callsThatWaitDoNotHoldUpOthers(int already) throws Exception {
    try (EventFd event = guest.eventFd()) {
      FutureTask<Long> wait = started(() -> event.await(LIMIT));
      awaitUnderWay(already + 1);
      signal(event, 3);
      assertThat(wait.get()).isEqualTo(3);
    }
  }

  @Test
  void racersBeginTogether() throws Exception {
    String path = fifo();
    for (int round = 0; round < 100; round++) {
      AtomicLong late = new AtomicLong();
      int latecomer = round % 2;
      Race.Outcome outcome =
          Race.of(guest)
              .racer(Syscall.OPENAT, () -> open(path, latecomer == 0 ? late : null))
              .racer(
                  Syscall.OPENAT,
                  () -> open(path, latecomer == 1 ? late : null, OpenFlag.WRITE_ONLY))
              .staggered(new Random(round), Duration.ofNanos(200_000))
              .run();
      for (Race.Finish finish : outcome.finishes()) {
        system.close(finish.value(Integer.class));
        // Each of them had to wait for the one that first looked at the clock.
        assertThat(finish.span().orElseThrow().start()).isGreaterThan(late.get());
      }
      assertThat(outcome.met()).isTrue();
      // Neither end of a pipe opens before somebody opens the other.
      assertThat(outcome.overlapped()).as(outcome.toString()).isTrue();
    }
  }

  private int open(String path, AtomicLong late, OpenFlag... flags) throws IOException {
    if (late != null) {
      late.set(clock());
    }
    return system.open(path, flags);
  }

  @Test
  void aRacerIsHeldBack() throws Exception {
    Race.Outcome outcome =
        Race.of(guest)
            .racer(Syscall.GETPID, () -> agent.syscall(Syscall.GETPID))
            .heldBack(Duration.ofMillis(30))
            .racer("clock", c -> c.is(Syscall.CLOCK_GETTIME), this::clock)
            .run();
    long clock = outcome.finish("clock").value(Long.class);
    Race.Span asked = outcome.finish("clock").span().orElseThrow();
    assertThat(clock).isBetween(asked.start(), asked.end());
    // The other passed the barrier first, or within its ten seconds.
    assertThat(outcome.finish("getpid").value(GuestAgent.Result.class).value()).isPositive();
    assertThat(outcome.apart()).isPresent();
  }

  @Test
  void accessesRaceTooAndMayFault() throws Exception {
    try (GuestMemory memory = guest.allocate(4096)) {
      Race.Outcome outcome =
          Race.of(guest)
              .racer("store", GuestCall.store(), () -> memory.storeLong(8, 5))
              .racer("faults", GuestCall.load(), () -> agent.load(16, 4))
              .racer("fill", GuestCall.access(), () -> memory.fillPattern(4000, 96, 1))
              .run();
      assertThat(outcome.met()).isTrue();
      assertThat(outcome.finish("faults").failure()).containsInstanceOf(GuestFaultException.class);
      assertThatThrownBy(() -> outcome.finish("faults").value(Long.class))
          .hasCauseInstanceOf(GuestFaultException.class);
      assertThat(outcome.finishes())
          .allMatch(f -> f.span().orElseThrow().end() >= f.span().orElseThrow().start());
      assertThat(memory.loadLong(8)).isEqualTo(5);
    }
  }

  @Test
  void aRacerThatEndsWithoutItsCallIsNotWaitedFor() throws Exception {
    Race.Outcome outcome =
        Race.of(guest)
            .racer(Syscall.GETPID, () -> agent.syscall(Syscall.GETPID).value())
            .racer(Syscall.MMAP, () -> 42)
            .racer(
                Syscall.IOCTL,
                () -> {
                  throw new IllegalStateException("no");
                })
            .run();
    assertThat(outcome.finish("getpid").value(Long.class)).isPositive();
    assertThat(outcome.finish("getpid").span()).isPresent();
    assertThat(outcome.finish("mmap").value(Integer.class)).isEqualTo(42);
    assertThat(outcome.finish("mmap").span()).isEmpty();
    assertThat(outcome.finish("ioctl").failure()).containsInstanceOf(IllegalStateException.class);
    assertThat(outcome.met()).isFalse();
    assertThat(outcome.overlapped()).isFalse();
    assertThat(outcome.toString()).contains("mmap: 42, did not race");
  }

  @Test
  void aRacerThatComesTooLateIsAlone() throws Exception {
    CountDownLatch firstIsOver = new CountDownLatch(1);
    Race.Outcome outcome =
        Race.of(guest)
            .racer(
                Syscall.GETPID,
                () -> {
                  agent.syscall(Syscall.GETPID);
                  firstIsOver.countDown();
                })
            .racer(
                "late",
                c -> c.is(Syscall.CLOCK_GETTIME),
                () -> {
                  firstIsOver.await();
                  return clock();
                })
            .patience(SHORT)
            .run();
    assertThat(outcome.finishes()).noneMatch(Race.Finish::met).allMatch(f -> f.span().isPresent());
    assertThat(outcome.overlapped()).isFalse();
    assertThat(outcome.finish("late").span().orElseThrow().start())
        .isGreaterThanOrEqualTo(outcome.finish("getpid").span().orElseThrow().end());
  }

  @Test
  void oneCallTooManyIsRefusedAtOnce() throws Exception {
    String path = fifo();
    int most = agent.mostUnderWay();
    List<FutureTask<Integer>> opens = started(most - 1, _ -> system.open(path));
    awaitUnderWay(most - 1);
    // The last place is taken by a call that can be let go without a call.
    CountDownLatch letGo = new CountDownLatch(1);
    FutureTask<Race.Outcome> race =
        started(() ->
            Race.of(guest)
                .racer(Syscall.GETPID, () -> agent.syscall(Syscall.GETPID))
                .racer(Syscall.MMAP, () -> letGo.await())
                .patience(LIMIT)
                .run());
    awaitUnderWay(most);
    assertThatThrownBy(() -> agent.load(16, 4))
        .isInstanceOf(GuestBusyException.class)
        .hasMessage("load 4 bytes at 0x10 was not begun: the agent has too much under way");
    assertThatThrownBy(() -> agent.syscall(Syscall.GETPID)).isInstanceOf(GuestBusyException.class);
    assertThat(agent.underWay()).hasSize(most);
    letGo.countDown();
    assertThat(race.get().finish("getpid").failure()).isEmpty();

    system.close(system.open(path, OpenFlag.WRITE_ONLY));
    for (FutureTask<Integer> open : opens) {
      system.close(open.get());
    }
  }

  @Test
  void faultsOfOneCallAreNotAnothers() throws Exception {
    int fd = system.memfd("short", 4096);
    long mapped = system.mmap(8192, Protection.READ_WRITE, EnumSet.of(MapFlag.SHARED), fd, 0);
    try (GuestMemory memory = guest.allocate(8L * PART)) {
      List<FutureTask<Void>> threads =
          started(
              8,
              index -> {
                for (int round = 0; round < 40; round++) {
                  switch (index % 4) {
                    case 0 -> faults(16, GuestFaultException.Signal.SIGSEGV);
                    case 1 -> faults(mapped + 4096 + 8 * index, GuestFaultException.Signal.SIGBUS);
                    default -> {
                      long at = (long) index * PART;
                      memory.fillPattern(at, PART, seed(index, round));
                      assertThat(memory.verifyPattern(at, PART, seed(index, round))).isEmpty();
                    }
                  }
                }
                return null;
              });
      for (FutureTask<Void> thread : threads) {
        thread.get();
      }
    }
    system.munmap(mapped, 8192);
    system.close(fd);
  }

  private void faults(long address, GuestFaultException.Signal signal) {
    assertThatThrownBy(() -> agent.load(address, 8))
        .isInstanceOfSatisfying(
            GuestFaultException.class,
            e -> {
              assertThat(e.signal()).isEqualTo(signal);
              assertThat(e.address()).isEqualTo(address);
            });
  }

  @Test
  void theLongestFramesPass() throws Exception {
    byte[] bytes = new byte[AgentConnection.FRAME_MAX - 128];
    new Random(1).nextBytes(bytes);
    int fd = system.memfd("long", 0);
    List<FutureTask<Void>> threads =
        started(
            3,
            index -> {
              long offset = (long) index * bytes.length;
              assertThat(system.pwrite(fd, bytes, offset)).isEqualTo(bytes.length);
              assertThat(system.pread(fd, bytes.length, offset)).isEqualTo(bytes);
              return null;
            });
    for (FutureTask<Void> thread : threads) {
      thread.get();
    }
    system.close(fd);
    assertThatThrownBy(() -> system.pwrite(fd, new byte[AgentConnection.FRAME_MAX], 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("request of ");
  }

  @Test
  void historySaysWhatHappened() throws Exception {
    assertThatThrownBy(() -> system.open("/no/such/file")).isInstanceOf(GuestErrnoException.class);
    int fd = system.memfd("some", 2 << 20);
    long address =
        system.mmap(1 << 20, Protection.READ_WRITE, EnumSet.of(MapFlag.SHARED), fd, 1 << 20);
    agent.store(address, 4, 77);
    assertThat(agent.load(address, 4)).isEqualTo(77);
    assertThatThrownBy(() -> agent.load(16, 4)).isInstanceOf(GuestFaultException.class);
    Ioctl ioctl = VfioIoctls.VFIO_DEVICE_RESET;
    assertThatThrownBy(() -> system.ioctl(fd, ioctl, 0)).isInstanceOf(GuestErrnoException.class);
    agent.set(address, 1 << 20, 1);
    system.munmap(address, 1 << 20);
    system.close(fd);
    String mapped = "0x" + Long.toHexString(address);
    List<CallRecord> history = agent.history();
    history = history.subList(history.size() - 11, history.size());
    assertThat(history)
        .allMatch(r -> r.thread().equals(Thread.currentThread().getName()))
        .allMatch(r -> r.state() == CallRecord.State.ENDED)
        .extracting(r -> r.call() + ": " + r.outcome().replaceAll(" \\(.* in the guest\\)", ""))
        .containsExactly(
            "open /no/such/file: GuestErrnoException: open /no/such/file: ENOENT",
            "memfd_create(\"some\", 1): " + fd,
            "ftruncate(%d, 0x200000): 0".formatted(fd),
            "mmap 1 MiB of fd %d at 0x100000: %s".formatted(fd, mapped),
            "store 4 bytes at %s: done".formatted(mapped),
            "load 4 bytes at %s: 77".formatted(mapped),
            "load 4 bytes at 0x10: GuestFaultException: SIGSEGV at 0x10",
            "ioctl VFIO_DEVICE_RESET fd %d: GuestErrnoException: VFIO_DEVICE_RESET: ENOTTY"
                .formatted(fd),
            "set 1 MiB at %s: done".formatted(mapped),
            "munmap 1 MiB at %s: 0".formatted(mapped),
            "close fd %d: 0".formatted(fd));
  }

  @Test
  void aWaitThatIsInterruptedTakesNothingAway() throws Exception {
    GuestProgram program = guest.start("/bin/busybox", "sleep", "1000");
    AtomicLong thrown = new AtomicLong();
    Thread waiter =
        Thread.ofPlatform()
            .start(() -> {
              try {
                program.await(LIMIT);
              } catch (InterruptedIOException e) {
                thrown.incrementAndGet();
              } catch (IOException e) {
                thrown.addAndGet(100);
              }
            });
    awaitUnderWay(1);
    waiter.interrupt();
    waiter.join();
    assertThat(thrown).hasValue(1);
    program.close();
    assertThat(program.await(LIMIT).orElseThrow().status()).isEqualTo(128 + 9);
    awaitUnderWay(0); // the wait that was given up saw the same end
  }

  @Test
  void aFixtureSeesWhatIsThere() throws Exception {
    PciDevice nvme = guest.pciInSlot(2).bindVfio();
    try (Iommufd iommufd = Iommufd.open(guest);
        Ioas ioas = iommufd.allocIoas();
        GuestDevice device = GuestDevice.open(guest, nvme, ioas)) {
      new Config(device).memorySpace(true);
      assertThat(system.dmaBufs()).isEmpty();
      try (DmaBuf exported = device.vfio().exportDmabuf(2, 0, CMB)) {
        assertThat(system.dmaBufs())
            .singleElement()
            .satisfies(object -> {
              assertThat(object.size()).isEqualTo(CMB);
              assertThat(object.exporter()).isEqualTo("vfio_pci_core");
              assertThat(object.references()).isEqualTo(1);
              assertThat(object.name()).isEmpty();
            });
        assertThat(system.openFiles())
            .filteredOn(OpenFile::isDmaBuf)
            .extracting(OpenFile::fd)
            .containsExactly(exported.fd());
      }
      assertThat(system.dmaBufs()).isEmpty();
      assertThat(system.openFiles())
          .filteredOn(f -> !openBefore.contains(f))
          .extracting(OpenFile::target)
          .containsExactlyInAnyOrder("/dev/iommu", nvme.vfioCdev());
      device.enableMsix(2);
      assertThat(system.interrupts())
          .filteredOn(line -> line.name().contains(nvme.address()))
          .extracting(InterruptLine::name)
          .containsExactly(
              "vfio-msix[0](%s)".formatted(nvme.address()),
              "vfio-msix[1](%s)".formatted(nvme.address()));
      device.vfio().disableMsix();
    }
    nvme.unbindVfio();
    assertThat(system.interrupts())
        .anySatisfy(line -> {
          assertThat(line.name()).isEqualTo("virtio0-virtqueues");
          assertThat(line.counts()).hasSize(2);
          assertThat(line.count()).isPositive();
          assertThat(line.chip()).contains("MSIX");
        })
        .anyMatch(line -> line.number().equals("LOC") && line.name().contains("timer"));
    assertThat(system.mounts())
        .contains(new Mount("proc", "/proc", "proc", "rw,relatime"))
        .anyMatch(mount -> mount.path().equals("/tmp") && mount.type().equals("tmpfs"));
  }
}
