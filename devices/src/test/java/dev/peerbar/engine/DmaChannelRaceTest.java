package dev.peerbar.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The function's thread and the engine's, at full speed; where the host polls, both at work. */
@InEveryMode
@Timeout(600)
final class DmaChannelRaceTest {
  private static final int ROUNDS = 20_000;
  private static final long LIMIT_SECONDS = 120;

  /** Descriptors of a channel that is left. */
  private static final int VALID = 60;

  private final ExecutorService engineThread = Executors.newSingleThreadExecutor();
  private final ExecutorService functionThread = Executors.newSingleThreadExecutor();
  private final AtomicReference<Throwable> thrown = new AtomicReference<>();
  private final Engine.Polling polling;

  DmaChannelRaceTest(Engine.Polling polling) {
    this.polling = polling;
  }

  @AfterEach
  void stop() throws InterruptedException {
    for (ExecutorService each : new ExecutorService[] {engineThread, functionThread}) {
      each.shutdownNow();
      assertThat(each.awaitTermination(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
    }
  }

  /**
   * Runs jobs on a thread of its own, and updates on the function's. What is polled is looked for
   * after those, and after what the driver does, until there is nothing.
   */
  private final class ThreadedEngine implements Engine {
    private final List<ThreadedJob> jobs = new ArrayList<>();
    private Polled polled;
    private ThreadedJob polledJob;

    private void endAll() {
      jobs.forEach(ThreadedJob::end);
      jobs.clear();
    }

    /** On the function's thread. */
    private void look() {
      try {
        boolean found = polled != null;
        while (found && !polledJob.ended) {
          found = polled.poll(polledJob);
        }
      } catch (JobEndedException e) {
        thrown.set(e);
      }
    }

    @Override
    public Polling polling() {
      return polling;
    }

    @Override
    public Ticket poll(Polled work, Consumer<Throwable> failed) {
      polled = work;
      polledJob = new ThreadedJob(this, true);
      jobs.add(polledJob);
      return polledJob;
    }

    @Override
    public Ticket submit(Work work, Consumer<Throwable> failed) {
      ThreadedJob job = new ThreadedJob(this, false);
      jobs.add(job);
      engineThread.execute(() -> {
        try {
          if (!job.ended) {
            work.run(job);
          }
        } catch (JobEndedException _) {
          // As told.
        } catch (RuntimeException | Error e) {
          thrown.set(e);
        }
      });
      return job;
    }
  }

  private final class ThreadedJob implements Job, Dma, Engine.Ticket {
    private final ThreadedEngine engine;
    private final boolean inPlace;
    private volatile boolean ended;

    ThreadedJob(ThreadedEngine engine, boolean inPlace) {
      this.engine = engine;
      this.inPlace = inPlace;
    }

    @Override
    public void end() {
      ended = true;
    }

    @Override
    public boolean ended() {
      return ended;
    }

    @Override
    public Dma dma() {
      return this;
    }

    @Override
    public void update(Runnable change) throws JobEndedException {
      check();
      functionThread.execute(() -> {
        if (!ended) {
          change.run();
        }
        engine.look();
      });
    }

    @Override
    public void raise(int vector) throws JobEndedException {
      check();
    }

    @Override
    public boolean signal(int vector) throws JobEndedException {
      check();
      return false;
    }

    private void check() throws JobEndedException {
      if (ended) {
        throw new JobEndedException();
      }
    }

    @Override
    public void read(long iova, MemorySegment into) throws JobEndedException {
      check();
    }

    @Override
    public void write(long iova, MemorySegment from) throws JobEndedException {
      check();
    }

    @Override
    public void copy(long fromIova, long toIova, long length) throws JobEndedException {
      check();
    }

    @Override
    public void local(MemorySegment from, MemorySegment to) throws JobEndedException {
      check();
    }
  }

  /** A driver, its device's registers and its descriptors, which do nothing but be counted. */
  private final class Device implements DmaChannel.Owner<String>, DescriptorHandler<String> {
    private static final int ENTRIES = 64;

    private final ThreadedEngine engine = new ThreadedEngine();
    private final DmaChannel<String> channel = new DmaChannel<>(engine, 64, this, this);
    private final Random random = new Random(7);

    // The engine's.
    private volatile long executed;

    /** Before which descriptor the engine waits for somebody to be about to end its job. */
    private volatile long waitsBefore = Long.MAX_VALUE;

    private volatile boolean ending;

    /** Whether it does: it is past whatever the descriptor before had to say. */
    private volatile boolean waiting;

    // The function's.
    private long valid;
    private long completed;
    private int interrupts;

    @Override
    public String of(DmaFaultException fault) {
      return "fault";
    }

    @Override
    public String broken() {
      return "broken";
    }

    @Override
    public String execute(Dma dma, MemorySegment fetched, long offset, long iova)
        throws JobEndedException {
      assertThat(iova).isEqualTo(0x1000 + executed % ENTRIES * 64);
      if (executed == waitsBefore || isOneIn(5)) {
        mustWait(dma);
      }
      while (executed == waitsBefore && !ending) {
        waiting = true;
        Thread.yield();
      }
      return null;
    }

    @Override
    public void complete(Dma dma, String failure) throws JobEndedException {
      if (isOneIn(7)) {
        mustWait(dma);
      }
      executed++;
    }

    private boolean isOneIn(int parts) {
      return executed * 0x9e37_79b9L % parts == 0;
    }

    private static void mustWait(Dma dma) throws JobEndedException {
      if (((ThreadedJob) dma).inPlace) {
        throw MustWaitException.INSTANCE;
      }
    }

    @Override
    public boolean interrupts() {
      return executed % 3 == 0;
    }

    @Override
    public void completed(int count, long last) {
      completed += count;
    }

    @Override
    public void failed(String failure) {
      thrown.set(new AssertionError(failure));
    }

    @Override
    public void interrupt() {
      interrupts++;
    }

    @Override
    public int vector() {
      return random.nextInt(4) == 0 ? -1 : 0;
    }

    private void start() {
      channel.start(new Ring(0x1000, ENTRIES, 64, 0));
    }

    private void more(int count) {
      valid += Math.min(count, ENTRIES - 1 - (valid - completed));
      channel.more((int) (valid - completed - channel.given()));
    }

    private boolean done() {
      return executed == valid;
    }
  }

  private void onFunctionThread(Device device, Runnable action) throws Exception {
    functionThread
        .submit(() -> {
          action.run();
          device.engine.look();
        })
        .get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  /**
   * Ends when nothing is left to do, or the test's limit says that something was lost: asking does
   * not help it on.
   */
  private void settle(Device device) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
    while (!functionThread.submit(device::done).get(LIMIT_SECONDS, TimeUnit.SECONDS)) {
      assertThat(thrown.get()).isNull();
      assertThat(System.nanoTime()).as("nothing is lost").isLessThan(deadline);
      Thread.yield();
    }
    onFunctionThread(device, device.channel::catchUp);
    assertThat(device.channel.running()).isFalse();
  }

  @Test
  void nothingThatBecomesValidIsForgotten() throws Exception {
    Device device = new Device();
    Random random = new Random(1);
    onFunctionThread(device, device::start);
    for (int i = 0; i < ROUNDS; i++) {
      int count = 1 + random.nextInt(3);
      boolean looks = random.nextBoolean();
      onFunctionThread(
          device,
          () -> {
            if (looks) {
              device.channel.catchUp();
            }
            device.more(count);
          });
      if (random.nextInt(8) == 0) {
        settle(device);
      }
    }
    settle(device);

    assertThat(device.completed).isEqualTo(device.valid).isEqualTo(device.executed);
    assertThat(device.interrupts).isPositive();
  }

  @Test
  void nothingIsForgottenAroundASuspension() throws Exception {
    Device device = new Device();
    Random random = new Random(2);
    onFunctionThread(device, device::start);
    for (int i = 0; i < ROUNDS; i++) {
      int what = random.nextInt(4);
      onFunctionThread(
          device,
          () -> {
            device.channel.catchUp();
            switch (what) {
              case 0 -> device.channel.suspend();
              case 1 -> device.channel.resume();
              default -> device.more(20);
            }
          });
    }
    onFunctionThread(device, device.channel::resume);
    settle(device);

    assertThat(device.completed).isEqualTo(device.valid).isEqualTo(device.executed);
  }

  /** As before a migration: the host ends the job wherever it is, and it leaves. */
  @Test
  void aChannelThatIsLeftKnowsWhatIsDone() throws Exception {
    Device device = new Device();
    Random random = new Random(3);
    for (int i = 0; i < ROUNDS / 10; i++) {
      begin(device, 1 + random.nextInt(50));
      onFunctionThread(
          device,
          () -> {
            // The engine goes on while its job ends, and leaves sooner or later, or has done all.
            device.ending = true;
            device.engine.endAll();
          });
      leave(device);
    }
    assertThat(thrown.get()).isNull();
  }

  @Test
  void aChannelThatIsLeftAmidItsWorkKnowsWhatIsDone() throws Exception {
    Device device = new Device();
    Random random = new Random(4);
    for (int i = 0; i < ROUNDS / 10; i++) {
      // Not in the last descriptors that are fetched together: the job's end is seen at a fetch.
      int before = 1 + random.nextInt(VALID - 2 * DmaChannel.MOST_FETCHED);
      begin(device, before);
      while (!device.waiting) {
        Thread.yield();
      }
      onFunctionThread(
          device,
          () -> {
            device.engine.endAll();
            device.ending = true;
          });
      leave(device);
      assertThat(device.completed).as("the one under way is done").isGreaterThan(before);
      assertThat(device.completed).as("and the last is not").isLessThan(VALID);
    }
    assertThat(thrown.get()).isNull();
  }

  /** The engine waits before one of the descriptors for the end to begin. */
  private void begin(Device device, int waitsBefore) throws Exception {
    onFunctionThread(
        device,
        () -> {
          device.executed = 0;
          device.ending = false;
          device.waiting = false;
          device.waitsBefore = waitsBefore;
          device.completed = 0;
          device.valid = 0;
          device.start();
          device.more(VALID);
        });
  }

  /** Waits for the engine to have left the job that has ended. */
  private void leave(Device device) throws Exception {
    engineThread.submit(() -> {}).get(LIMIT_SECONDS, TimeUnit.SECONDS);
    onFunctionThread(device, device.channel::leave);
    long done = device.completed;
    assertThat(done).isEqualTo(device.executed);
    onFunctionThread(device, device.channel::catchUp);
    assertThat(device.completed).isEqualTo(done);
  }
}
