package dev.peerbar.lab.guest;

import static dev.peerbar.lab.guest.FakeAgent.OK;
import static dev.peerbar.lab.guest.FakeAgent.buffer;
import static dev.peerbar.lab.guest.FakeAgent.started;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.lab.guest.FakeAgent.Request;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls side by side over one connection, whose other end the test plays. */
@Timeout(120)
final class AgentConnectionTest {
  private static final Duration SHORT = Duration.ofMillis(20);

  private FakeAgent fake;
  private GuestAgent agent;

  @BeforeEach
  void connect(@TempDir Path directory) throws Exception {
    fake = FakeAgent.start(directory);
    agent = fake.agent();
  }

  @AfterEach
  void close() throws Exception {
    fake.close();
  }

  private FutureTask<Long> load(long address) {
    return started(() -> agent.load(address, 8));
  }

  private void answerLoad(Request request) throws IOException {
    fake.answer(request, OK, buffer(8).putLong(request.address() * 3));
  }

  /** The connection still does what it is there for. */
  private void stillWorks() throws Exception {
    FutureTask<Long> call = load(0x700);
    answerLoad(fake.take());
    assertThat(call.get()).isEqualTo(0x1500);
  }

  private void isGone(FutureTask<?> call, String... words) {
    assertThatThrownBy(call::get)
        .isInstanceOf(ExecutionException.class)
        .cause()
        .isInstanceOf(GuestGoneException.class)
        .hasMessageStartingWith("the guest is gone: ")
        .hasMessageContainingAll(words);
  }

  private GuestAgent.Result open(Duration limit) throws IOException {
    return agent.syscall(
        "open /tmp/fifo", Syscall.OPENAT, limit, Argument.of(-100), Argument.text("/tmp/fifo"));
  }

  @Test
  void answersComeInAnyOrder() throws Exception {
    List<FutureTask<Long>> calls = IntStream.range(0, 40).mapToObj(i -> load(i * 8L)).toList();
    List<Request> requests = fake.take(40);
    for (Request request : requests.reversed()) {
      answerLoad(request);
    }
    for (int i = 0; i < 40; i++) {
      assertThat(calls.get(i).get()).isEqualTo(i * 24L);
    }
  }

  @Test
  void answersComeInAnyPieces() throws Exception {
    FutureTask<byte[]> large = started(() -> agent.read(0, 1 << 20));
    FutureTask<Long> small = load(8);
    byte[] bytes = new byte[1 << 20];
    bytes[0] = 1;
    bytes[bytes.length - 1] = 2;
    ByteBuffer answers = buffer(bytes.length + 12 + 20);
    for (Request request : fake.take(2)) {
      boolean isLarge = request.operation() == Operation.READ;
      answers.putInt(8 + (isLarge ? bytes.length : 8)).putInt(request.id()).putInt(OK);
      answers = isLarge ? answers.put(bytes) : answers.putLong(7);
    }
    byte[] all = answers.array();
    int[] ends = {1, 2, 5, 11, 12, 13, 25, 70_000, 140_001, all.length - 1, all.length};
    for (int i = 0; i < ends.length; i++) {
      int from = i == 0 ? 0 : ends[i - 1];
      fake.send(buffer(ends[i] - from).put(all, from, ends[i] - from));
    }
    assertThat(large.get()).isEqualTo(bytes);
    assertThat(small.get()).isEqualTo(7);
  }

  @Test
  void aCallThatTakesTooLongIsGivenUp() throws Exception {
    assertThatThrownBy(() -> open(SHORT))
        .isInstanceOf(GuestCallTimeoutException.class)
        .hasMessage("open /tmp/fifo did not end within 20 ms");
    Request hung = fake.take();
    stillWorks();
    assertThat(record("open /tmp/fifo").state()).isEqualTo(CallRecord.State.GIVEN_UP);
    assertThat(record("open /tmp/fifo").toString())
        .matches(".*] open /tmp/fifo: GuestCallTimeoutException: .*; still under way after .*");

    fake.returns(hung, 5);
    stillWorks(); // which also says that the late answer has been read
    assertThat(record("open /tmp/fifo").state()).isEqualTo(CallRecord.State.ANSWERED_LATE);
  }

  private CallRecord record(String call) {
    return agent.history().stream().filter(r -> r.call().equals(call)).findFirst().orElseThrow();
  }

  /** What a call's argument was laid out at, which then succeeds. */
  private long placeOfArgument() throws Exception {
    FutureTask<GuestAgent.Result> call = started(() -> open(FakeAgent.LIMIT));
    Request request = fake.take();
    fake.returns(request, 3);
    assertThat(call.get().value()).isEqualTo(3);
    return request.argument(1);
  }

  @Test
  void argumentsOfACallThatIsGivenUpStayItsOwn() throws Exception {
    assertThatThrownBy(() -> open(SHORT)).isInstanceOf(GuestCallTimeoutException.class);
    Request hung = fake.take();
    assertThat(hung.argument(1)).isEqualTo(FakeAgent.ARENA);
    assertThat(placeOfArgument()).isNotEqualTo(FakeAgent.ARENA);
    fake.returns(hung, 5);
    stillWorks();
    assertThat(placeOfArgument()).isEqualTo(FakeAgent.ARENA);
  }

  @Test
  void scratchIsNotGivenBackBeforeTheCallsThatMayUseIt() throws Exception {
    Scratch first = agent.scratch(100);
    first.close();
    Request hung;
    try (Scratch second = agent.scratch(100)) {
      assertThat(second.address()).as("the first was given back").isEqualTo(first.address());
      assertThatThrownBy(() -> open(SHORT)).isInstanceOf(GuestCallTimeoutException.class);
      hung = fake.take();
    }
    try (Scratch third = agent.scratch(64)) {
      assertThat(third.address()).isGreaterThan(hung.argument(1));
      assertThat(hung.argument(1)).isGreaterThan(first.address());
    }
    fake.returns(hung, 5);
    stillWorks();
    try (Scratch fourth = agent.scratch(100)) {
      assertThat(fourth.address()).isEqualTo(first.address());
    }
  }

  @Test
  void thereIsAnEndToArguments() throws Exception {
    try (Scratch most = agent.scratch(FakeAgent.ARENA_SIZE)) {
      assertThat(most.address()).isEqualTo(FakeAgent.ARENA);
      assertThatThrownBy(() -> open(FakeAgent.LIMIT))
          .isInstanceOf(GuestBusyException.class)
          .hasMessageContaining("open /tmp/fifo was not begun: ");
    }
    assertThat(placeOfArgument()).isEqualTo(FakeAgent.ARENA);
    assertThatThrownBy(() -> agent.scratch(FakeAgent.ARENA_SIZE + 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("1048577 bytes");
  }

  @Test
  void anInterruptEndsTheWaitAndNothingElse() throws Exception {
    AtomicBoolean stays = new AtomicBoolean();
    CountDownLatch over = new CountDownLatch(1);
    List<Throwable> thrown = new ArrayList<>();
    Thread caller =
        Thread.ofPlatform()
            .daemon()
            .start(() -> {
              try {
                agent.load(8, 8);
              } catch (IOException e) {
                thrown.add(e);
              }
              try {
                agent.load(16, 8);
              } catch (IOException e) {
                thrown.add(e);
              }
              stays.set(Thread.currentThread().isInterrupted());
              over.countDown();
            });
    Request first = fake.take();
    caller.interrupt();
    over.await();
    assertThat(thrown).hasSize(2).allMatch(e -> e instanceof InterruptedIOException);
    assertThat(thrown.get(0)).hasMessage("interrupted in load 8 bytes at 0x8");
    assertThat(thrown.get(1)).hasMessage("interrupted before load 8 bytes at 0x10");
    assertThat(stays).isTrue();
    FutureTask<Long> next = load(24);
    Request second = fake.take();
    assertThat(second.address()).as("the second call was never sent").isEqualTo(24);
    answerLoad(first);
    answerLoad(second);
    assertThat(next.get()).isEqualTo(72);
  }

  @Test
  void aClosedSocketEndsAllCalls() throws Exception {
    List<FutureTask<Long>> calls = List.of(load(8), load(16), load(24));
    fake.take(3);
    fake.hangUp();
    calls.forEach(call -> isGone(call, "QEMU closed the agent's socket"));
    isGone(load(32), "QEMU closed the agent's socket");
  }

  @Test
  void closingEndsAllCalls() throws Exception {
    FutureTask<Long> call = load(8);
    fake.take();
    agent.close();
    isGone(call, "the connection to its agent was closed");
    isGone(load(16), "the connection to its agent was closed");
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 7, (4 << 20) + 1})
  void aLengthThatIsNoneEndsAllCalls(int length) throws Exception {
    FutureTask<Long> call = load(8);
    Request request = fake.take();
    fake.send(buffer(12).putInt(length).putInt(request.id()).putInt(OK));
    isGone(call, "framing is lost: length " + length);
    isGone(load(16), "framing is lost: length " + length);
  }

  @Test
  void anAnswerThatNobodyAskedForEndsAllCalls() throws Exception {
    FutureTask<Long> call = load(8);
    Request request = fake.take();
    fake.send(buffer(12).putInt(8).putInt(request.id() + 1).putInt(OK));
    isGone(call, "framing is lost: an answer to call " + (request.id() + 1));
  }

  @Test
  void aSecondAnswerEndsAllCalls() throws Exception {
    FutureTask<Long> call = load(8);
    Request request = fake.take();
    answerLoad(request);
    assertThat(call.get()).isEqualTo(24);
    FutureTask<Long> next = load(16);
    fake.take();
    answerLoad(request);
    isGone(next, "framing is lost: an answer to call " + request.id());
  }

  @Test
  void framesStayWholeWhenTheGuestDoesNotRead() throws Exception {
    byte[] bytes = new byte[1 << 20];
    bytes[bytes.length - 1] = 3;
    List<FutureTask<Long>> loads = new ArrayList<>();
    List<FutureTask<Void>> writes = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      long address = i << 20;
      writes.add(
          started(() -> {
            agent.write(address, bytes);
            return null;
          }));
    }
    // One of a small frame behind them, and one that is given up before it has left.
    await(() -> agent.history().size() == 1 + 4);
    loads.add(load(8));
    await(() -> agent.history().size() == 1 + 5);
    assertThatThrownBy(() -> open(SHORT)).isInstanceOf(GuestCallTimeoutException.class);
    for (Request request : fake.take(6)) {
      switch (request.operation()) {
        case WRITE -> {
          byte[] seen = new byte[bytes.length];
          request.payload().get(8, seen);
          assertThat(seen).isEqualTo(bytes);
          fake.answer(request, OK, buffer(0));
        }
        case LOAD -> answerLoad(request);
        default -> fake.returns(request, 3);
      }
    }
    for (FutureTask<Void> write : writes) {
      write.get();
    }
    assertThat(loads.getFirst().get()).isEqualTo(24);
    stillWorks();
  }

  private interface Condition {
    boolean holds();
  }

  private static void await(Condition condition) {
    while (!condition.holds()) { // the test's limit is that of the wait
      Thread.onSpinWait();
    }
  }

  @Test
  void aGuestThatHasTooMuchUnderWaySaysSo() throws Exception {
    FutureTask<Long> call = load(8);
    fake.answer(fake.take(), FakeAgent.BUSY, buffer(0));
    assertThatThrownBy(call::get)
        .cause()
        .isInstanceOf(GuestBusyException.class)
        .hasMessageContaining("load 8 bytes at 0x8 was not begun");
    stillWorks();
  }

  @Test
  void historyKeepsTheLastCallsAndThoseThatHang() throws Exception {
    FutureTask<Long> hangs = load(0x1000);
    Request request = fake.take();
    for (int i = 0; i < 100; i++) {
      stillWorks();
    }
    List<CallRecord> history = agent.history();
    assertThat(history).hasSize(1 + CallHistory.LENGTH);
    assertThat(history.getFirst().call()).isEqualTo("load 8 bytes at 0x1000");
    assertThat(history.getFirst().underWay()).isTrue();
    assertThat(history.subList(1, history.size()))
        .allMatch(r -> r.state() == CallRecord.State.ENDED && r.outcome().equals("5376"))
        .isSortedAccordingTo((a, b) -> Long.compare(a.number(), b.number()));
    answerLoad(request);
    assertThat(hangs.get()).isEqualTo(0x3000);
    assertThat(agent.history()).hasSize(CallHistory.LENGTH);
  }

  @Test
  void callsAreTrackedThoseThatAreAlikeAsOne() throws Exception {
    stillWorks();
    agent.track();
    assertThat(agent.tracked()).isEmpty();
    FutureTask<Long> loads =
        started(() -> {
          long last = 0;
          for (int i = 0; i < 100; i++) {
            last = agent.load(0x100 + i, 8);
          }
          return last;
        });
    for (int i = 0; i < 100; i++) {
      answerLoad(fake.take());
    }
    assertThat(loads.get()).isEqualTo(0x163 * 3);
    FutureTask<Long> hangs = load(0x1000);
    Request request = fake.take();
    List<CallRun> tracked = agent.tracked();
    assertThat(tracked).extracting(CallRun::times).containsExactly(100L, 1L);
    assertThat(tracked).extracting(CallRun::failed).containsExactly(false, true);
    assertThat(tracked)
        .extracting(CallRun::words)
        .containsExactly(
            "load 8 bytes at 0x100: 768 … load 8 bytes at 0x163: 1065",
            "load 8 bytes at 0x1000: under way");
    assertThat(tracked.getFirst().ended()).isGreaterThan(tracked.getFirst().began());
    answerLoad(request);
    assertThat(hangs.get()).isEqualTo(0x3000);
    // Another thread's is not like this one's.
    assertThat(agent.tracked()).extracting(CallRun::times).containsExactly(100L, 1L);
    for (int i = 0; i < CallTrack.LENGTH; i++) {
      stillWorks();
    }
    assertThat(agent.tracked()).hasSize(CallTrack.LENGTH);
    assertThat(agent.untracked()).isEqualTo(101);
  }
}
