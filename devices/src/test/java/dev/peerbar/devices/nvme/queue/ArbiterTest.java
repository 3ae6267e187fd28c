package dev.peerbar.devices.nvme.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Workers and a poller step by step: what one does between two steps of another. */
final class ArbiterTest {
  private static final int BURST = 8;
  private static final int ENTRIES = 4096;

  private final List<IoWorker> workers = new ArrayList<>();
  private final Map<IoWorker, Buffers> buffers = new HashMap<>();
  private final List<SubmissionQueue> queues = new ArrayList<>();
  private Arbiter arbiter;

  /** Null if the host does not poll. */
  private IoWorker poller;

  /** Commands that take long are Dataset Management. */
  private static final class Handler implements IoHandler {
    @Override
    public boolean takesLong(SubmissionEntry command) {
      return command.opcode() == IoOpcode.DATASET_MANAGEMENT.code();
    }

    @Override
    public Status execute(SubmissionEntry command, Transfer transfer) {
      throw new UnsupportedOperationException("nothing is executed here");
    }

    @Override
    public boolean mustWait(SubmissionEntry command) {
      return takesLong(command);
    }

    @Override
    public void busy(long nanos) {}
  }

  private void start(int busyWorkers) {
    arbiter = new Arbiter(false, ArbitrationFeature.DEFAULT, busyWorkers, new Handler());
    for (int i = 0; i < 5; i++) {
      IoWorker worker = worker();
      arbiter.add(worker);
      workers.add(worker);
    }
  }

  private void startPolled(int busyWorkers) {
    start(busyWorkers);
    poller = worker();
    arbiter.polled(poller);
  }

  private IoWorker worker() {
    Buffers its = new Buffers(new ControllerMemory(MemorySegment.NULL));
    IoWorker worker = new IoWorker(null, arbiter, its);
    buffers.put(worker, its);
    return worker;
  }

  private SubmissionQueue queue(int completionEntries) {
    int id = queues.size() + 1;
    CompletionQueue completions = new CompletionQueue(id, completionEntries, 0, 0, true);
    SubmissionQueue queue = new SubmissionQueue(id, ENTRIES, 0x1000, completions, Priority.URGENT);
    arbiter.add(completions);
    arbiter.add(queue);
    queues.add(queue);
    return queue;
  }

  /** Has a worker fetch commands, after which it is at the first unless that is put aside. */
  private void fetches(IoWorker worker, IoOpcode... opcodes) {
    assertThat(arbiter.next(worker)).isEqualTo(Arbiter.Next.FETCH);
    read(worker, opcodes);
  }

  private void read(IoWorker worker, IoOpcode... opcodes) {
    assertThat(worker.batch().count()).isEqualTo(opcodes.length);
    for (int i = 0; i < opcodes.length; i++) {
      SubmissionEntry entry = SubmissionEntry.builder(opcodes[i]).commandId(i).build();
      buffers.get(worker).entry(i).bytes().copyFrom(entry.bytes());
    }
    arbiter.fetched(worker);
  }

  private static IoOpcode[] reads(int count) {
    IoOpcode[] opcodes = new IoOpcode[count];
    Arrays.fill(opcodes, IoOpcode.READ);
    return opcodes;
  }

  private void finds(IoWorker worker, Arbiter.Next next) {
    assertThat(arbiter.next(worker)).isEqualTo(next);
  }

  private void executes(IoWorker worker, int commands) {
    for (int i = 0; i < commands; i++) {
      finds(worker, Arbiter.Next.EXECUTE);
      arbiter.takeSlot(worker);
    }
  }

  private void armed() {
    assertThat(arbiter.beginPoll()).isTrue();
    arbiter.endPoll(true);
  }

  /** The one that is polled watches, and cannot do it. */
  @Test
  void whatIsPutAsideBeforeAWorkerGoesAwayIsAnothersToDo() {
    startPolled(1);
    IoWorker slow = workers.get(0);
    arbiter.tail(queue(ENTRIES), 2);
    fetches(poller, IoOpcode.DATASET_MANAGEMENT, IoOpcode.READ);
    finds(slow, Arbiter.Next.EXECUTE);
    arbiter.putAside(poller);

    IoWorker other = arbiter.away(slow);
    assertThat(other).isNotNull().isNotSameAs(slow);
    executes(other, 1);
    assertThat(arbiter.away(other)).as("nothing is left").isNull();
  }

  /** A worker has looked before, and is about to go idle. */
  @Test
  void whatAPollerLeavesIsTakenByWhoeverIsAboutToGo() {
    startPolled(1);
    IoWorker leaving = workers.get(0);
    SubmissionQueue queue = queue(ENTRIES);
    finds(leaving, Arbiter.Next.NOTHING);
    arbiter.tail(queue, BURST);
    fetches(poller, reads(BURST));

    assertThat(arbiter.retire(poller)).as("one watches").isNull();
    assertThat(arbiter.leave(leaving)).isEqualTo(Arbiter.Leave.LOOK_AGAIN);
    // The poller has begun the first.
    executes(leaving, BURST - 1);
  }

  @Test
  void whatAPollerHadNotFetchedIsFetchedAgain() {
    startPolled(1);
    SubmissionQueue queue = queue(ENTRIES);
    arbiter.tail(queue, BURST);
    finds(poller, Arbiter.Next.FETCH);

    IoWorker woken = arbiter.retire(poller);
    assertThat(woken).isNotNull();
    assertThat(queue.inFlight).isZero();
    assertThat(queue.completions.reserved).isZero();
    fetches(woken, reads(BURST));
    arbiter.takeSlot(woken);
    executes(woken, BURST - 1);
  }

  /** The poller's look has begun, and seen nothing. */
  @Test
  void aRingIsLookedAtAfterThePollerHasRetired() {
    startPolled(1);
    IoWorker leaving = workers.get(0);
    SubmissionQueue queue = queue(ENTRIES);
    arbiter.useShadow();
    arbiter.useShadow(queue);
    armed();
    finds(leaving, Arbiter.Next.NOTHING);
    arbiter.tail(queue, 1);
    assertThat(arbiter.beginPoll()).isTrue();
    arbiter.endPoll(false);

    assertThat(arbiter.retire(poller)).isNull();
    assertThat(arbiter.leave(leaving)).isEqualTo(Arbiter.Leave.LOOK_AGAIN);
  }

  /** The same without a poller: nobody waits for the one who is away. */
  @Test
  void whatIsLeftBehindIsTakenByWhoeverIsAboutToGo() {
    start(1);
    IoWorker away = workers.get(0);
    IoWorker leaving = workers.get(1);
    SubmissionQueue queue = queue(ENTRIES);
    arbiter.tail(queue, BURST);
    finds(away, Arbiter.Next.FETCH);
    finds(leaving, Arbiter.Next.NOTHING);
    read(away, reads(BURST));
    int signals = arbiter.signals();

    assertThat(arbiter.away(away)).as("one watches").isNull();
    assertThat(arbiter.signals()).isNotEqualTo(signals);
    assertThat(arbiter.leave(leaving)).isEqualTo(Arbiter.Leave.LOOK_AGAIN);
    executes(leaving, BURST - 1);
    finds(leaving, Arbiter.Next.NOTHING);
    assertThat(arbiter.leave(leaving)).isEqualTo(Arbiter.Leave.IDLE);
  }

  @Test
  void nobodyWaitsForAPollerAtRest() {
    startPolled(2);
    IoWorker helper = workers.get(0);
    SubmissionQueue queue = queue(ENTRIES);
    finds(poller, Arbiter.Next.NOTHING);
    assertThat(arbiter.rest(poller)).isEqualTo(Arbiter.Leave.IDLE);
    arbiter.tail(queue, BURST);
    fetches(helper, reads(BURST));

    assertThat(arbiter.away(helper)).isEqualTo(workers.get(1));
    finds(poller, Arbiter.Next.EXECUTE);
  }

  @Test
  void aPollerDoesNotRestBesideWhatIsLeftBehind() {
    startPolled(2);
    IoWorker helper = workers.get(0);
    SubmissionQueue queue = queue(ENTRIES);
    arbiter.tail(queue, BURST);
    finds(helper, Arbiter.Next.FETCH);
    finds(poller, Arbiter.Next.NOTHING);
    read(helper, reads(BURST));

    assertThat(arbiter.away(helper)).as("the poller watches").isNull();
    assertThat(arbiter.rest(poller)).isEqualTo(Arbiter.Leave.LOOK_AGAIN);
    executes(poller, BURST - 1);
    finds(poller, Arbiter.Next.NOTHING);
    assertThat(arbiter.rest(poller)).isEqualTo(Arbiter.Leave.IDLE);
  }

  /** The poller is at rest, and the host would not ring for the head. */
  @Test
  void aHelperThatFillsACompletionQueueTellsThePoller() {
    startPolled(2);
    IoWorker helper = workers.get(0);
    SubmissionQueue queue = queue(4);
    arbiter.useShadow();
    arbiter.useShadow(queue);
    arbiter.useShadow(queue.completions);
    armed();
    finds(poller, Arbiter.Next.NOTHING);
    assertThat(arbiter.rest(poller)).isEqualTo(Arbiter.Leave.IDLE);
    queue.tail = BURST;
    fetches(helper, reads(3));
    arbiter.takeSlot(helper);
    executes(helper, 2);
    finds(helper, Arbiter.Next.NOTHING);

    assertThat(arbiter.leave(helper)).isEqualTo(Arbiter.Leave.IDLE);
    assertThat(helper.tells).isTrue();
    assertThat(queue.completions.starved).isTrue();
    assertThat(arbiter.rest(poller)).isEqualTo(Arbiter.Leave.ARM);
  }

  /** As many are put aside as may be: it is fetched again once one of them has begun. */
  @Test
  void aPollerIsToldWhenACrowdIsOver() {
    startPolled(1);
    for (int i = 0; i < 5; i++) {
      arbiter.tail(queue(ENTRIES), ENTRIES - 1);
    }
    IoOpcode[] long8 = new IoOpcode[BURST];
    Arrays.fill(long8, IoOpcode.DATASET_MANAGEMENT);
    int aside = 0;
    while (arbiter.next(poller) == Arbiter.Next.FETCH) {
      IoOpcode[] all = Arrays.copyOf(long8, poller.batch().count());
      aside += all.length;
      read(poller, all);
    }
    assertThat(aside).isBetween(16 << 10, (16 << 10) + BURST);
    assertThat(arbiter.rest(poller)).isEqualTo(Arbiter.Leave.IDLE);

    IoWorker helper = workers.get(0);
    int signals = arbiter.signals();
    while (aside-- > 16 << 10) {
      executes(helper, 1);
    }
    assertThat(helper.tells).isFalse();
    executes(helper, 1);
    assertThat(helper.tells).isTrue();
    assertThat(arbiter.signals()).isNotEqualTo(signals);
    assertThat(arbiter.rest(poller)).isEqualTo(Arbiter.Leave.LOOK_AGAIN);
    finds(poller, Arbiter.Next.FETCH);
  }

  @Test
  void whatIsPutAsideDoesNotWaitForOthersThatTakeLong() {
    startPolled(1);
    SubmissionQueue queue = queue(ENTRIES);
    arbiter.tail(queue, BURST);
    IoOpcode slow = IoOpcode.DATASET_MANAGEMENT;
    fetches(poller, slow, slow, slow, slow, slow, slow, slow, IoOpcode.READ);
    // Its memory has to be waited for.
    assertThat(poller.command().opcode()).isEqualTo(IoOpcode.READ.code());
    arbiter.putAside(poller);

    for (IoWorker worker : workers.subList(0, 4)) {
      finds(worker, Arbiter.Next.EXECUTE);
      assertThat(worker.takesLong).isTrue();
    }
    IoWorker fifth = workers.get(4);
    assertThat(arbiter.leave(fifth)).isEqualTo(Arbiter.Leave.LOOK_AGAIN);
    finds(fifth, Arbiter.Next.EXECUTE);
    assertThat(fifth.command().opcode()).isEqualTo(IoOpcode.READ.code());
    arbiter.takeSlot(fifth);
    finds(fifth, Arbiter.Next.NOTHING);
    assertThat(arbiter.leave(fifth)).isEqualTo(Arbiter.Leave.IDLE);
    arbiter.takeSlot(workers.get(0));
    executes(workers.get(0), 1);
  }

  /** With a poller that executes only it fetches where one processor is all there is. */
  @Test
  void whoMayFetchIsAQuestionOfProcessors() {
    startPolled(1);
    SubmissionQueue queue = queue(ENTRIES);
    arbiter.tail(queue, 2 * BURST);
    finds(workers.get(0), Arbiter.Next.NOTHING);
    assertThat(arbiter.leave(workers.get(0))).isEqualTo(Arbiter.Leave.IDLE);
    assertThat(arbiter.rest(poller)).isEqualTo(Arbiter.Leave.LOOK_AGAIN);
    finds(poller, Arbiter.Next.FETCH);
  }

  @Test
  void anAbortIsNotForgottenByWhoCannotExecuteIt() {
    startPolled(1);
    SubmissionQueue queue = queue(ENTRIES);
    arbiter.tail(queue, 2);
    fetches(poller, IoOpcode.DATASET_MANAGEMENT, IoOpcode.READ);
    assertThat(arbiter.abort(queue.id, 0, _ -> {})).isTrue();
    arbiter.putAside(poller);
    finds(poller, Arbiter.Next.EXECUTE);
    assertThat(poller.verdict).isEqualTo(Status.COMMAND_ABORT_REQUESTED);

    arbiter.putAside(poller);
    IoWorker worker = workers.get(0);
    finds(worker, Arbiter.Next.EXECUTE);
    assertThat(worker.verdict).isEqualTo(Status.COMMAND_ABORT_REQUESTED);
    assertThat(worker.aborted).isNotNull();
  }
}
