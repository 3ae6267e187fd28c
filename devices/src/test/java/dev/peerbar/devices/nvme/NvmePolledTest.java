package dev.peerbar.devices.nvme;

import static dev.peerbar.devices.nvme.NvmeFixture.io;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.fake.WherePolled;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.nvme.ShadowDoorbells;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.ResetKind;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands between the function's thread, which looks for them, and workers. */
@WherePolled
@Timeout(value = 2, unit = TimeUnit.MINUTES)
final class NvmePolledTest {
  private static final int ENTRIES = 64;
  private static final long LIMIT_NANOS = 20_000_000_000L;

  /** More blocks than a command moves, which only takes long. */
  private static final int MANY_BLOCKS = 1025;

  private final NvmeFixture nvme;
  private final FakeHost host;
  private final NvmeDriver driver;
  private DmaRange buffer;
  private DmaRange far;

  NvmePolledTest(Engine.Polling polling) {
    nvme = new NvmeFixture(polling);
    host = nvme.host;
    driver = nvme.driver;
  }

  @BeforeEach
  void enable() throws IOException {
    // With the pin the host rings for every head.
    nvme.device.enableMsix(1);
    driver.enable();
    buffer = nvme.device.allocate(128 * NvmeDriver.PAGE);
    far = byMessages(nvme.device.allocate(4 * NvmeDriver.PAGE));
  }

  private DmaRange byMessages(DmaRange range) {
    host.byMessages(range.iova(), range.length());
    return range;
  }

  private NvmeQueue pair(int id) throws IOException {
    NvmeQueue pair =
        driver.createQueue(
            id,
            nvme.device.allocate((long) ENTRIES * SubmissionEntry.BYTES).slice(0, ENTRIES * 64),
            nvme.device.allocate((long) ENTRIES * CompletionEntry.BYTES).slice(0, ENTRIES * 16),
            0);
    host.settle();
    return pair;
  }

  /** With room for three completions. */
  private NvmeQueue narrow() throws IOException {
    NvmeQueue pair =
        driver.createQueue(1, nvme.device.allocate(4096), nvme.device.allocate(64).slice(0, 64), 0);
    host.settle();
    return pair;
  }

  private SubmissionEntry.Builder read(int lba) {
    return io(IoOpcode.READ, lba, 1, buffer);
  }

  private SubmissionEntry.Builder discard(int lba) {
    DmaRange ranges = buffer.slice(0, 16);
    try {
      ranges.storeInt(4, 1);
      ranges.storeLong(8, lba);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return NvmeCommands.deallocate(1, new DataPointer(ranges.iova(), 0));
  }

  /** Takes what is complete, and gives it back. Returns the commands, of which none was before. */
  private Set<Integer> taken(NvmeQueue pair, Status... statuses) throws IOException {
    Set<Integer> ids = new HashSet<>();
    for (CompletionEntry entry : pair.collect()) {
      assertThat(entry.status()).isIn((Object[]) statuses);
      assertThat(ids.add(entry.commandId())).isTrue();
    }
    pair.ringHead();
    return ids;
  }

  private Set<Integer> taken(NvmeQueue pair) throws IOException {
    return taken(pair, Status.SUCCESS);
  }

  private void isReady() {
    assertThat(nvme.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
  }

  /** Whether commands are done where the doorbell rings. */
  private void isPolled(NvmeQueue pair) throws IOException {
    pair.submit(read(0), read(1));
    host.wake();
    assertThat(host.jobsWaiting()).isZero();
    assertThat(taken(pair)).hasSize(2);
  }

  /** Whether they are done by workers. */
  private void isLeftToWorkers(NvmeQueue pair) throws IOException {
    pair.submit(read(0), read(1));
    host.wake();
    assertThat(taken(pair)).isEmpty();
    assertThat(host.jobsWaiting()).isEqualTo(1);
    host.settleUnasked();
    assertThat(taken(pair)).hasSize(2);
  }

  @Test
  void whatIsShortIsDoneInPlace() throws IOException {
    NvmeQueue pair = pair(1);
    int raised = host.raised().size();
    isPolled(pair);
    assertThat(host.raised()).hasSize(raised + 1);
    pair.submit(NvmeCommands.flush(), io(IoOpcode.COMPARE, 1, 1, buffer));
    pair.put(io(IoOpcode.WRITE, 0, 1, buffer).dword(12, 1 << 30));
    pair.ring();
    host.wake();
    assertThat(host.jobsWaiting()).isZero();
    assertThat(taken(pair)).hasSize(3);
  }

  /** Or one would stand for the next until the host moves its head. */
  @Test
  void aVectorWithoutCoalescingInterruptsForEachEntry() throws IOException {
    driver.setUp();
    driver.enable();
    NvmeQueue pair = pair(1);
    driver
        .admin()
        .succeed(
            SubmissionEntry.builder(AdminOpcode.SET_FEATURES).dword(10, 9).dword(11, 1 | 1 << 16));
    host.settle();
    for (int i = 1; i < 10; i++) {
      int raised = host.raised().size();
      pair.submit(read(0));
      host.look();
      assertThat(host.raised()).hasSize(raised + 1);
      assertThat(host.raised().getLast()).isEqualTo(1);
    }
  }

  /** Two completions, of which the host has answered none. */
  private NvmeQueue unanswered() throws IOException {
    driver.setUp();
    driver.enable();
    NvmeQueue pair = pair(1);
    for (int i = 0; i < 2; i++) {
      pair.submit(read(i));
      host.look();
    }
    return pair;
  }

  private long raised(int vector) {
    return host.raised().stream().filter(it -> it == vector).count();
  }

  /** Nothing else happens meanwhile, and a host that polls all the time never rests. */
  @Test
  void whatOneInterruptStoodForGetsItsOwnInTheEnd() throws IOException {
    unanswered();
    long deadline = System.nanoTime() + LIMIT_NANOS;
    while (raised(1) < 2) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      host.look();
    }
    assertThat(host.look()).isFalse();
    assertThat(raised(1)).isEqualTo(2);
  }

  @Test
  void nothingIsHeldBackThatIsLeftToWorkers() throws IOException {
    NvmeQueue pair = unanswered();
    byMessages(pair.submissions());
    pair.submit(read(2));
    host.look();
    assertThat(pair.collect()).hasSize(2);
    assertThat(raised(1)).isEqualTo(2);
  }

  /** All of what was rung for, however much data it moves: nobody rings again. */
  @Test
  void aTurnIsFollowedByAnother() throws IOException {
    NvmeQueue pair = pair(1);
    for (int i = 0; i < 5; i++) {
      for (int size : new int[] {4, 8, 16, 64, 128}) {
        for (int command = 0; command < 50; command++) {
          pair.put(size < 64 ? io(IoOpcode.READ, 0, size, buffer) : NvmeCommands.flush());
        }
        pair.put(NvmeCommands.read(0, 8, new DataPointer(buffer.iova(), 0)));
        pair.ring();
        host.poll();
        assertThat(taken(pair)).hasSize(51);
        for (int command = 0; command < 63; command++) {
          pair.put(NvmeCommands.read(0, 8, new DataPointer(buffer.iova(), 0)));
        }
        pair.ring();
        host.poll();
        assertThat(taken(pair)).hasSize(63);
      }
    }
  }

  /** With as much data in a batch as is moved in a turn. */
  @ParameterizedTest
  @ValueSource(ints = {8, 16, 128})
  void aTurnThatEndsWithItsBatchIsFollowedByAnother(int blocks) throws IOException {
    NvmeQueue pair = driver.createQueue(1, 512);
    host.settle();
    DmaRange list = driver.allocate(NvmeDriver.PAGE);
    for (int i = 0; i < 64; i++) {
      list.storeLong(i * 8L, buffer.iova() + (1L + i) * NvmeDriver.PAGE);
    }
    long second = blocks > 16 ? list.iova() : buffer.iova() + NvmeDriver.PAGE;
    for (int i = 0; i < 300; i++) {
      pair.put(NvmeCommands.read(0, blocks, new DataPointer(buffer.iova(), second)));
    }
    pair.ring();
    host.poll();
    assertThat(taken(pair)).hasSize(300);
  }

  private Stream<SubmissionEntry.Builder> waiting() {
    return Stream.of(
        discard(8),
        NvmeCommands.writeZeroes(0, MANY_BLOCKS),
        io(IoOpcode.VERIFY, 0, MANY_BLOCKS, buffer),
        io(IoOpcode.READ, 0, 1, far),
        io(IoOpcode.WRITE, 0, 1, far),
        io(IoOpcode.READ, 0, 16, buffer).prp2(far.iova()),
        io(IoOpcode.WRITE, 0, 17, buffer).prp2(far.iova()));
  }

  /** They alone: what is behind them is done in place. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5})
  void whatMustWaitIsPutAside(int which) throws IOException {
    NvmeQueue pair = pair(1);
    SubmissionEntry.Builder waits = waiting().toList().get(which);
    for (int i = 0; i < 3; i++) {
      Set<Integer> quick = new HashSet<>();
      quick.add(pair.put(read(0)));
      int slow = pair.put(waits);
      quick.add(pair.put(read(1)));
      pair.ring();
      host.wake();
      assertThat(taken(pair)).isEqualTo(quick);
      assertThat(host.jobsWaiting()).isEqualTo(1);
      host.settleUnasked();
      assertThat(taken(pair)).containsExactly(slow);
    }
    isPolled(pair);
  }

  @Test
  void manyThatMustWaitAreAllDone() throws IOException {
    NvmeQueue pair = pair(1);
    NvmeQueue other = pair(2);
    List<SubmissionEntry.Builder> kinds = waiting().limit(6).toList();
    Set<Integer> slow = new HashSet<>();
    for (int i = 0; i < 60; i++) {
      slow.add(pair.put(kinds.get(i % kinds.size())));
    }
    pair.ring();
    host.wake();
    assertThat(taken(pair)).isEmpty();
    assertThat(host.jobsWaiting()).isEqualTo(5);
    other.submit(read(0));
    host.wake();
    assertThat(taken(other)).hasSize(1);
    host.settleUnasked();
    assertThat(taken(pair)).isEqualTo(slow);
  }

  private enum Part {
    SUBMISSIONS,
    COMPLETIONS
  }

  private static DmaRange part(NvmeQueue pair, Part part) {
    return part == Part.SUBMISSIONS ? pair.submissions() : pair.completions();
  }

  /** Workers do all from then on, for every queue, until the controller is enabled again. */
  @ParameterizedTest
  @EnumSource
  void aQueueThatMustWaitLeavesAllToWorkers(Part part) throws IOException {
    NvmeQueue pair = pair(1);
    NvmeQueue other = pair(2);
    isPolled(pair);
    isPolled(other);
    byMessages(part(pair, part));
    isLeftToWorkers(pair);
    isLeftToWorkers(other);
    host.inPlace(part(pair, part).iova());
    isLeftToWorkers(pair);
    pair.submit(discard(0), io(IoOpcode.READ, 0, 1, far), read(0));
    host.wake();
    host.settleUnasked();
    assertThat(taken(pair)).hasSize(3);

    driver.disable();
    driver.enable();
    isPolled(pair(1));
  }

  /** What was fetched already, put aside already, or is about to be fetched, is not lost. */
  @ParameterizedTest
  @EnumSource
  void aQueueThatMustWaitFromSomeTimeOnLosesNothing(Part part) throws IOException {
    NvmeQueue pair = pair(1);
    DmaRange list = driver.allocate(NvmeDriver.PAGE);
    for (int i = 0; i < 16; i++) {
      list.storeLong(i * 8L, buffer.iova() + (1L + i) * NvmeDriver.PAGE);
    }
    Set<Integer> sent = new HashSet<>();
    for (int i = 0; i < 60; i++) {
      DataPointer data = new DataPointer(buffer.iova(), list.iova());
      sent.add(pair.put(i % 4 == 3 ? discard(i) : NvmeCommands.read(0, 128, data)));
    }
    pair.ring();
    // Some of a batch.
    assertThat(host.look()).isTrue();
    byMessages(part(pair, part));
    host.wake();
    host.settleUnasked();
    assertThat(taken(pair)).isEqualTo(sent);
    isLeftToWorkers(pair);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void shadowsThatMustWaitLeaveAllToWorkers(boolean events) throws IOException {
    ShadowDoorbells shadows = driver.ringByShadows();
    NvmeQueue pair = pair(1);
    NvmeQueue other = pair(2);
    isPolled(pair);
    byMessages(events ? shadows.events() : shadows.shadows());
    for (int i = 0; i < 10; i++) {
      for (NvmeQueue each : List.of(pair, other)) {
        each.submit(read(0), read(1));
        host.wake();
        host.settleUnasked();
        assertThat(taken(each)).hasSize(2);
      }
    }
    isReady();
    driver.disable();
    driver.enable();
    isPolled(pair(1));
  }

  // What happens to commands that were put aside.

  private SubmissionEntry.Builder abort(int commandId) {
    return SubmissionEntry.builder(AdminOpcode.ABORT).dword(10, 1 | commandId << 16);
  }

  /** Has an admin command fetched ahead of what workers do, and begun. */
  private int beside(SubmissionEntry.Builder admin, Runnable before) throws IOException {
    int id = driver.admin().put(admin);
    driver.admin().ring();
    before.run();
    host.runJob();
    return id;
  }

  private void submitAside(NvmeQueue pair, List<Integer> ids) {
    try {
      for (int i = 0; i < 10; i++) {
        ids.add(pair.put(discard(i)));
      }
      pair.ring();
      host.wake();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** Whether or not its completion can be written in place, it is aborted, and the host told. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatIsPutAsideCanBeAborted(boolean inPlace) throws IOException {
    NvmeQueue pair = pair(1);
    List<Integer> ids = new ArrayList<>();
    // Its own number, as the commands of a new pair are numbered from 0 on.
    int admin = beside(abort(pair.nextCommandId() + 6), () -> submitAside(pair, ids));
    if (!inPlace) {
      byMessages(pair.completions());
    }
    host.wake();
    if (inPlace) {
      assertThat(taken(pair, Status.COMMAND_ABORT_REQUESTED)).containsExactly(ids.get(6));
    }
    host.settleUnasked();
    Set<Integer> rest = new HashSet<>();
    for (CompletionEntry entry : pair.collect()) {
      rest.add(entry.commandId());
      assertThat(entry.status())
          .isEqualTo(
              entry.commandId() == ids.get(6) ? Status.COMMAND_ABORT_REQUESTED : Status.SUCCESS);
    }
    assertThat(rest).hasSize(inPlace ? 9 : 10);
    CompletionEntry answer = driver.admin().poll().orElseThrow();
    assertThat(answer.commandId()).isEqualTo(admin);
    assertThat(answer.dword0()).as("aborted").isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatIsPutAsideIsAbortedWithItsQueue(boolean inPlace) throws IOException {
    NvmeQueue pair = pair(1);
    NvmeQueue other = pair(2);
    List<Integer> ids = new ArrayList<>();
    int admin = beside(NvmeCommands.deleteSubmissionQueue(1), () -> submitAside(pair, ids));
    if (!inPlace) {
      byMessages(pair.completions());
    }
    host.wake();
    host.settleUnasked();
    assertThat(taken(pair, Status.SUCCESS, Status.COMMAND_ABORTED_DUE_TO_SQ_DELETION))
        .containsExactlyInAnyOrderElementsOf(ids);
    CompletionEntry answer = driver.admin().poll().orElseThrow();
    assertThat(answer.commandId()).isEqualTo(admin);
    assertThat(answer.status()).isEqualTo(Status.SUCCESS);
    driver.admin().ringHead();
    driver.admin().succeed(NvmeCommands.deleteCompletionQueue(1));
    other.submit(read(0));
    host.wake();
    host.settleUnasked();
    assertThat(taken(other)).hasSize(1);
  }

  private enum Progress {
    RUNG,
    PUT_ASIDE,
    ONE_BEGUN,
    RETIRED
  }

  @ParameterizedTest
  @EnumSource
  void aResetEndsWhatIsUnderWay(Progress progress) throws IOException {
    for (ResetKind kind : ResetKind.values()) {
      NvmeQueue pair = pair(1);
      if (progress == Progress.RETIRED) {
        byMessages(pair.submissions());
      }
      for (int i = 0; i < 20; i++) {
        pair.put(i % 2 == 0 ? discard(i) : io(IoOpcode.READ, i, 1, far));
      }
      pair.ring();
      if (progress != Progress.RUNG) {
        host.wake();
      }
      if (progress == Progress.ONE_BEGUN) {
        boolean[] once = {false};
        host.meanwhile(() -> {
          if (!once[0]) {
            once[0] = true;
            host.reset(kind);
          }
        });
        host.runJob();
        host.meanwhile(() -> {});
      }
      host.reset(kind);
      int calls = nvme.storage.calls().size();
      host.settle();
      assertThat(pair.collect()).isEmpty();
      assertThat(nvme.storage.calls()).hasSize(calls);
      driver.enable();
      isPolled(pair(1));
      driver.disable();
      driver.enable();
    }
  }

  /** Disabled before anybody has looked. */
  @Test
  void aControllerThatIsDisabledDoesNothing() throws IOException {
    for (boolean shadow : new boolean[] {false, true}) {
      driver.enable();
      if (shadow) {
        driver.ringByShadows();
      }
      NvmeQueue pair = pair(1);
      isPolled(pair);
      pair.submit(read(0), discard(0), read(1));
      nvme.storage.calls().clear();
      host.journal().clear();
      nvme.write4(NvmeRegisters.CC, 0);
      host.settle();
      assertThat(nvme.storage.calls()).isEmpty();
      assertThat(host.journal()).noneMatch(it -> it.startsWith("write") || it.startsWith("raise"));
      assertThat(pair.collect()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 100})
  void aFullCompletionQueueWaitsForItsHead(int slowOneIn) throws IOException {
    for (boolean shadow : new boolean[] {false, true}) {
      driver.disable();
      driver.enable();
      ShadowDoorbells shadows = shadow ? driver.ringByShadows() : null;
      NvmeQueue narrow = narrow();
      for (int i = 0; i < 21; i++) {
        narrow.put((i + 1) % slowOneIn == 0 ? discard(i) : read(i));
      }
      narrow.ring();
      for (int i = 0; i < 7; i++) {
        host.wake();
        host.settleUnasked();
        long rings = shadow ? shadows.rings() : 0;
        assertThat(narrow.collect()).hasSize(3);
        narrow.ringHead();
        if (shadow && i < 6) {
          assertThat(shadows.rings()).as("it had been told to").isEqualTo(rings + 1);
        }
      }
      host.wake();
      host.settleUnasked();
      assertThat(narrow.collect()).isEmpty();
      assertThat(narrow.outstanding()).isZero();
    }
  }

  // Shadow doorbells.

  @Test
  void theHostNeedNotRingWhileItsShadowsAreLookedAt() throws IOException {
    ShadowDoorbells shadows = driver.ringByShadows();
    NvmeQueue pair = pair(1);
    long rings = shadows.rings();
    pair.submit(read(0));
    assertThat(shadows.rings()).as("all was at rest").isEqualTo(rings + 1);
    host.poll();
    assertThat(taken(pair)).hasSize(1);
    // The head, too, which nobody waits for yet.
    rings = shadows.rings();
    // Fewer than would bring the doorbell to its EventIdx again.
    for (int i = 0; i < 20; i++) {
      pair.submit(read(0), read(1));
      host.poll();
      assertThat(taken(pair)).hasSize(2);
    }
    assertThat(shadows.rings()).isEqualTo(rings);
    while (!host.rest()) {
      host.poll();
    }
    pair.submit(read(0));
    assertThat(shadows.rings()).as("nobody looks").isEqualTo(rings + 1);
    host.wake();
    assertThat(taken(pair)).hasSize(1);
    assertThat(host.jobsWaiting()).isZero();
  }

  /** What was added before the host could be told to ring is found before there is rest. */
  @Test
  void nothingIsLeftBehindAtRest() throws IOException {
    ShadowDoorbells shadows = driver.ringByShadows();
    NvmeQueue pair = pair(1);
    pair.submit(read(0));
    host.poll();
    int sent = 1;
    int done = taken(pair).size();
    // Once at each transfer while the host is told.
    for (int at = 1; at < 6; at++) {
      pair.submit(read(0));
      sent++;
      host.poll();
      int[] transfers = {0};
      int last = at;
      host.beforeTransfer(() -> {
        if (++transfers[0] == last) {
          try {
            pair.submit(read(1));
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        }
      });
      long rings = shadows.rings();
      while (!host.rest()) {
        host.poll();
      }
      host.beforeTransfer(() -> {});
      sent += transfers[0] < at ? 0 : 1;
      if (shadows.rings() > rings) {
        host.wake();
      }
      done += taken(pair).size();
      assertThat(done).isEqualTo(sent);
    }
  }

  /** Each time that there is no room for more, and far from where the head's EventIdx began. */
  @Test
  void theHostRingsForTheHeadThatCommandsWaitFor() throws IOException {
    ShadowDoorbells shadows = driver.ringByShadows();
    NvmeQueue pair =
        driver.createQueue(
            1, nvme.device.allocate(8192), nvme.device.allocate(1024).slice(0, 1024), 0);
    host.settle();
    for (int i = 0; i < 120; i++) {
      pair.put(read(i));
    }
    pair.ring();
    for (int head = 10; head <= 50; head += 10) {
      host.wake();
      for (int i = 0; i < 10; i++) {
        assertThat(pair.poll()).isPresent();
      }
      long rings = shadows.rings();
      pair.ringHead();
      assertThat(shadows.rings()).isEqualTo(rings + 1);
    }
    host.wake();
    assertThat(pair.collect()).hasSize(63);
  }

  // Storage that may wait.

  /** Only workers execute. A host that looks now and then leaves shadows to them, too. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void storageThatMayWaitIsForWorkers(boolean shadow) throws IOException {
    nvme.storage.mayWait(true);
    driver.disable();
    driver.enable();
    ShadowDoorbells shadows = shadow ? driver.ringByShadows() : null;
    NvmeQueue pair = pair(1);
    for (int i = 0; i < 20; i++) {
      isLeftToWorkers(pair);
    }
    if (shadow && nvme.polling == Engine.Polling.ALWAYS) {
      long rings = shadows.rings();
      pair.submit(read(0));
      host.poll();
      host.runJob();
      assertThat(taken(pair)).hasSize(1);
      pair.submit(read(0));
      assertThat(shadows.rings()).as("it is looked at all the time").isEqualTo(rings + 1);
      host.poll();
      host.runJob();
      assertThat(taken(pair)).hasSize(1);
    }
  }

  /** Whoever finds that commands wait for a slot has the host ring for the head. */
  @Test
  void aQueueThatWorkersFillWaitsForItsHead() throws IOException {
    nvme.storage.mayWait(true);
    driver.disable();
    driver.enable();
    ShadowDoorbells shadows = driver.ringByShadows();
    NvmeQueue narrow = narrow();
    for (int i = 0; i < 30; i++) {
      narrow.put(read(i));
    }
    narrow.ring();
    for (int i = 0; i < 10; i++) {
      host.wake();
      host.settleUnasked();
      assertThat(narrow.collect()).hasSize(3);
      long rings = shadows.rings();
      narrow.ringHead();
      if (i < 9) {
        assertThat(shadows.rings()).as("it had been told to").isEqualTo(rings + 1);
      }
    }
  }

  @Test
  void aLookLeavesNothingToDoAgain() throws IOException {
    Assumptions.assumeTrue(nvme.polling == Engine.Polling.ALWAYS, "others do not look");
    nvme.storage.mayWait(true);
    driver.disable();
    driver.enable();
    NvmeQueue pair = pair(1);
    pair.submit(read(0));
    assertThat(host.look()).isTrue();
    assertThat(host.look()).as("the worker is told").isFalse();
    host.settleUnasked();
    assertThat(taken(pair)).hasSize(1);
  }
}
