package dev.peerbar.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.virtio.VirtioDriver;
import dev.peerbar.driver.virtio.Virtqueue;
import dev.peerbar.driver.virtio.Virtqueue.Used;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Queues by their driver: requests, notifications and interrupts, resets. */
class VirtqueueTest {
  private VirtioFixture fixture;
  private VirtioDriver driver;
  private FakeHost host;

  @BeforeEach
  void start() throws IOException {
    fixture = new VirtioFixture();
    driver = fixture.driver;
    host = fixture.device.host();
  }

  private Used one(Virtqueue queue) throws IOException {
    return queue.await(VirtioFixture.LIMIT);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, VirtioFeature.EVENT_IDX})
  void aQueueGoesRoundItsIndexes(long features) throws IOException {
    Virtqueue queue = fixture.begin(0, features);
    // 16 bits, and then some.
    for (int request = 0; request < 0x1_0100; request++) {
      DmaRange answer = fixture.ram.slice(64, 1);
      int head = queue.add(List.of(fixture.text(0, "a")), List.of(answer));
      queue.kick();
      host.settle();
      assertThat(queue.poll()).contains(new Used(head, 1));
      queue.usedEvent(queue.next());
    }
    assertThat(VirtioFixture.string(fixture.ram.slice(64, 1))).isEqualTo("A");
    assertThat(fixture.needsReset()).isFalse();
    assertThat(host.raised()).hasSize(0x1_0100);
  }

  @Test
  void aRequestMayBeDividedInAnyWay() throws IOException {
    Virtqueue queue = fixture.begin(1, VirtioFeature.INDIRECT_DESC);
    fixture.text(0, "virtio over pci!");
    List<DmaRange> in =
        List.of(fixture.ram.slice(0, 1), fixture.ram.slice(1, 3), fixture.ram.slice(4, 12));
    List<DmaRange> out =
        List.of(
            fixture.ram.slice(0x100, 9), fixture.ram.slice(0x200, 2), fixture.ram.slice(0x300, 90));
    assertThat(queue.add(in, out)).isZero();
    assertThat(queue.addIndirect(fixture.ram.slice(0x1000, 96), in, out)).isEqualTo(6);
    queue.kick();
    assertThat(one(queue)).isEqualTo(new Used(0, 16));
    assertThat(VirtioFixture.string(fixture.ram.slice(0x100, 9))).isEqualTo("VIRTIO OV");
    assertThat(VirtioFixture.string(fixture.ram.slice(0x200, 2))).isEqualTo("ER");
    assertThat(VirtioFixture.string(fixture.ram.slice(0x300, 5))).isEqualTo(" PCI!");
    assertThat(one(queue)).isEqualTo(new Used(6, 16));
    assertThat(queue.free()).isEqualTo(queue.size());
  }

  @Test
  void aTableMayFollowDescriptorsAndItsWriteFlagIsIgnored() throws IOException {
    Virtqueue queue = fixture.begin(0, VirtioFeature.INDIRECT_DESC);
    DmaRange table = fixture.ram.slice(0x1000, 32);
    fixture.text(0, "abcd");
    Virtqueue.descriptor(table, 0, fixture.ram.iova() + 2, 2, SplitRing.F_NEXT, 1);
    Virtqueue.descriptor(table, 1, fixture.ram.iova() + 64, 4, SplitRing.F_WRITE, 0);
    queue.descriptor(3, fixture.ram.iova(), 2, SplitRing.F_NEXT, 5);
    queue.descriptor(5, table.iova(), 32, SplitRing.F_INDIRECT | SplitRing.F_WRITE, 0);
    queue.offer(3);
    queue.kick();
    assertThat(one(queue)).isEqualTo(new Used(3, 4));
    assertThat(VirtioFixture.string(fixture.ram.slice(64, 4))).isEqualTo("ABCD");
  }

  @Test
  void aTableMayBeLongerThanTheQueue() throws IOException {
    Virtqueue queue = fixture.begin(1, VirtioFeature.INDIRECT_DESC);
    List<DmaRange> in = new ArrayList<>();
    for (int letter = 0; letter < DescriptorReader.MOST_INDIRECT - 1; letter++) {
      in.add(fixture.text(letter, "x"));
    }
    DmaRange table = fixture.ram.slice(0x10000, DescriptorReader.MOST_INDIRECT * 16L);
    DmaRange out = fixture.ram.slice(0x8000, 4096);
    queue.addIndirect(table, in, List.of(out));
    queue.kick();
    assertThat(one(queue).written()).isEqualTo(DescriptorReader.MOST_INDIRECT - 1);
    assertThat(VirtioFixture.string(out.slice(0, 4))).isEqualTo("XXXX");
  }

  /** Counts exactly: with events a driver that adds while the device works need not notify. */
  @Test
  void eventsAskForNotificationsOnlyWhenTheDeviceIsIdle() throws IOException {
    Virtqueue queue = fixture.begin(0, VirtioFeature.EVENT_IDX);
    List<DmaRange> in = List.of(fixture.text(0, "a"));
    List<DmaRange> out = List.of(fixture.ram.slice(64, 1));
    queue.add(in, out);
    assertThat(queue.kick()).isTrue();
    // The device has not looked yet.
    for (int more = 0; more < 4; more++) {
      queue.add(in, out);
      assertThat(queue.kick()).isFalse();
    }
    // Within the last request a sixth is added: it is found without a notification.
    host.beforeSignal(() -> {
      if (queue.notifications() == 1 && fixture.shouting.handled == 5) {
        host.beforeSignal(() -> {});
        try {
          queue.add(in, out);
          assertThat(queue.kick()).isFalse();
        } catch (IOException e) {
          throw new AssertionError(e);
        }
      }
    });
    queue.usedEvent(4);
    host.settle();
    assertThat(fixture.shouting.handled).isEqualTo(6);
    assertThat(queue.notifications()).isEqualTo(1);
    // One interrupt, for the fifth entry.
    assertThat(host.raised()).containsExactly(1);
    queue.add(in, out);
    assertThat(queue.kick()).isTrue();
    host.settle();
    assertThat(fixture.shouting.handled).isEqualTo(7);
    assertThat(host.raised()).containsExactly(1);
    queue.usedEvent(7);
    queue.add(in, out);
    queue.kick();
    host.settle();
    assertThat(host.raised()).containsExactly(1, 1);
  }

  @Test
  void whatIsAddedJustBeforeTheEventIsSetIsFound() throws IOException {
    for (long features : new long[] {VirtioFeature.EVENT_IDX, 0}) {
      driver.resetDevice();
      fixture.shouting.handled = 0;
      Virtqueue queue = fixture.begin(0, features);
      queue.add(List.of(fixture.text(0, "a")), List.of(fixture.ram.slice(64, 1)));
      queue.kick();
      long event = queue.used().iova() + (features == 0 ? 0 : SplitRing.availableEvent(16));
      boolean[] added = new boolean[1];
      host.journal().clear();
      // The transfer after the device's last look at the index, and before it says so.
      host.beforeTransfer(() -> {
        if (!added[0] && fixture.shouting.handled == 1 && looksIdle(queue)) {
          added[0] = true;
          try {
            queue.add(List.of(fixture.ram.slice(0, 1)), List.of(fixture.ram.slice(64, 1)));
            assertThat(queue.kick()).isFalse();
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        }
      });
      idleReads = 0;
      host.settle();
      host.beforeTransfer(() -> {});
      assertThat(added[0]).isTrue();
      assertThat(queue.notifications()).isEqualTo(1);
      assertThat(fixture.shouting.handled).isEqualTo(2);
      assertThat(host.journal()).contains("write 0x%x+2".formatted(event));
    }
  }

  private int idleReads;

  /** After the used index was written there follow: the event or the flags, twice avail.idx. */
  private boolean looksIdle(Virtqueue queue) {
    String index = "write 0x%x+2".formatted(queue.used().iova() + SplitRing.USED_INDEX);
    if (!host.journal().contains(index)) {
      return false;
    }
    idleReads++;
    boolean events = (driver.features() & VirtioFeature.EVENT_IDX) != 0;
    return idleReads == (events ? 5 : 4);
  }

  @Test
  void withoutEventsFlagsAreTheWayToAskForLess() throws IOException {
    Virtqueue queue = fixture.begin(0, 0);
    List<DmaRange> in = List.of(fixture.text(0, "a"));
    List<DmaRange> out = List.of(fixture.ram.slice(64, 1));
    queue.interrupts(false);
    // What an event would say is not looked at.
    queue.usedEvent(0);
    queue.add(in, out);
    assertThat(queue.kick()).isTrue();
    boolean[] quiet = new boolean[1];
    host.beforeTransfer(() -> {
      try {
        quiet[0] |= queue.used().load(0, AccessWidth.WORD) == SplitRing.F_NO_NOTIFY;
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    });
    host.settle();
    assertThat(fixture.shouting.handled).isEqualTo(1);
    assertThat(quiet[0]).isTrue();
    assertThat(queue.used().load(0, AccessWidth.WORD)).isZero();
    assertThat(host.raised()).isEmpty();
    queue.interrupts(true);
    queue.add(in, out);
    queue.kick();
    host.settle();
    assertThat(host.raised()).containsExactly(1);
  }

  @Test
  void aHeldRequestIsCompletedLaterAndInAnyOrder() throws IOException {
    Virtqueue queue = fixture.begin(1, VirtioFeature.EVENT_IDX);
    fixture.shouting.holds = true;
    int[] heads = new int[3];
    for (int request = 0; request < 3; request++) {
      heads[request] =
          queue.add(
              List.of(fixture.text(16L * request, "abc" + request)),
              List.of(fixture.ram.slice(256 + 16L * request, 4)));
    }
    queue.kick();
    host.settle();
    assertThat(queue.poll()).isEmpty();
    for (int request : new int[] {2, 0, 1}) {
      fixture.shouting.release(1, fixture.shouting.held.get(request));
      assertThat(one(queue)).isEqualTo(new Used(heads[request], 4));
      assertThat(VirtioFixture.string(fixture.ram.slice(256 + 16L * request, 4)))
          .isEqualTo("ABC" + request);
    }
    fixture.shouting.holds = false;
    fixture.expectShout(queue);
  }

  @Test
  void aRequestIsForJobsOfItsQueueAndIsCompletedOnce() throws IOException {
    Virtqueue queue = fixture.begin(0, 0);
    fixture.shouting.holds = true;
    queue.add(List.of(fixture.text(0, "abc")), List.of(fixture.ram.slice(256, 3)));
    queue.kick();
    host.settle();
    VirtioRequest request = fixture.shouting.held.getFirst();
    List<Throwable> thrown = new ArrayList<>();
    // Queue 2 is on the same engine: a reset of queue 0 does not end its jobs.
    fixture.shouting.host.engine(2).submit(job -> request.complete(job, 0), thrown::add);
    host.settle();
    assertThat(thrown).hasSize(1).first().isInstanceOf(IllegalStateException.class);
    fixture.shouting.host.engine(0).submit(job -> request.complete(job, 4), thrown::add);
    host.settle();
    assertThat(thrown).hasSize(2).last().isInstanceOf(IllegalArgumentException.class);
    fixture.shouting.release(0, request);
    assertThat(one(queue).written()).isEqualTo(3);
    fixture.shouting.host.engine(0).submit(job -> request.complete(job, 0), thrown::add);
    host.settle();
    assertThat(thrown).hasSize(3).last().isInstanceOf(IllegalStateException.class);
    assertThat(queue.poll()).isEmpty();
  }

  @Test
  void aResetOfOneQueueLeavesTheOthersAlone() throws IOException {
    driver.negotiate(VirtioFeature.TRANSPORT);
    Virtqueue first = driver.queue(0, 16);
    Virtqueue other = driver.queue(2, 16);
    driver.ready();
    fixture.shouting.holds = true;
    first.add(List.of(fixture.text(0, "abc")), List.of(fixture.ram.slice(256, 3)));
    first.kick();
    other.add(List.of(fixture.text(16, "def")), List.of(fixture.ram.slice(512, 3)));
    other.kick();
    host.settle();
    List<VirtioRequest> held = List.copyOf(fixture.shouting.held);
    Engine.Ticket waiting = fixture.shouting.release(0, held.get(0));
    Engine.Ticket behind = fixture.shouting.host.engine(0).submit(_ -> {});
    fixture.shouting.release(2, held.get(1));
    driver.resetQueue(0);
    assertThat(waiting.ended()).isTrue();
    assertThat(behind.ended()).isTrue();
    assertThat(fixture.shouting.journal).endsWith("reset 0");
    assertThat(one(other).written()).isEqualTo(3);
    driver.select(0);
    assertThat(driver.common(VirtioPci.QUEUE_ENABLE, AccessWidth.WORD)).isZero();
    assertThat(driver.common(VirtioPci.QUEUE_RESET, AccessWidth.WORD)).isZero();
    assertThat(driver.common(VirtioPci.QUEUE_DESC, AccessWidth.QWORD)).isZero();
    assertThat(driver.common(VirtioPci.QUEUE_MSIX_VECTOR, AccessWidth.WORD))
        .isEqualTo(VirtioPci.NO_VECTOR);
    // Notifications of it say nothing, and what was held is nobody's.
    first.ring();
    host.settle();
    Virtqueue again = driver.queue(0, 4);
    host.settle();
    host.journal().clear();
    fixture.shouting.host.engine(0).submit(job -> held.get(0).complete(job, 3));
    fixture.shouting.release(0, held.get(0));
    host.settle();
    assertThat(host.journal()).containsExactly("ended");
    assertThat(first.poll()).isEmpty();
    assertThat(again.poll()).isEmpty();
    fixture.shouting.holds = false;
    fixture.expectShout(again);
    fixture.expectShout(other);
    assertThat(fixture.needsReset()).isFalse();
  }

  @Test
  void aQueueIsNotResetUnlessThatWasAgreedOn() throws IOException {
    Virtqueue queue = fixture.begin(0, 0);
    driver.resetQueue(0);
    assertThat(driver.common(VirtioPci.QUEUE_ENABLE, AccessWidth.WORD)).isEqualTo(1);
    fixture.expectShout(queue);
  }

  /** At every transfer that a request takes, a reset: nothing is touched after it. */
  @ParameterizedTest
  @ValueSource(strings = {"status", "queue", "function"})
  void aResetEndsARequestWhereverItIs(String kind) throws IOException {
    for (int transfer = 1; transfer <= 12; transfer++) {
      driver.resetDevice();
      Virtqueue queue = fixture.begin(0, VirtioFeature.EVENT_IDX | VirtioFeature.RING_RESET);
      queue.add(List.of(fixture.text(0, "abc")), List.of(fixture.ram.slice(256, 3)));
      queue.kick();
      int[] left = {transfer};
      List<String> atReset = new ArrayList<>();
      host.beforeTransfer(() -> {
        if (--left[0] == 0) {
          host.beforeTransfer(() -> {});
          reset(kind);
          host.journal().clear();
          atReset.add("reset");
        }
      });
      host.settle();
      host.beforeTransfer(() -> {});
      if (atReset.isEmpty()) {
        assertThat(transfer).isGreaterThan(10);
        return;
      }
      assertThat(host.journal()).containsExactly("ended");
      if (kind.equals("function")) {
        driver.setUp();
      }
      fixture.expectRecovery();
    }
  }

  /** It was over long ago, and another one has begun since, but it has yet to be listened to. */
  @Test
  void aResetHasAJobThatWasOverSayNothing() throws IOException {
    driver.negotiate(VirtioFeature.TRANSPORT);
    Virtqueue queue = driver.queue(0, 16);
    driver.select(0);
    driver.common(VirtioPci.QUEUE_MSIX_VECTOR, AccessWidth.WORD, VirtioPci.NO_VECTOR);
    driver.ready();
    host.settle();
    queue.offer(16);
    queue.kick();
    List<String> said = new ArrayList<>();
    fixture.shouting.host.engine(0).submit(job -> job.update(() -> said.add("something")));
    while (host.jobsWaiting() > 0) {
      host.runJob();
    }
    assertThat(host.updatesWaiting()).isEqualTo(2);
    queue.ring();
    driver.resetDevice();
    host.settle();
    assertThat(said).isEmpty();
    assertThat(driver.status()).isZero();
    fixture.expectRecovery();
  }

  private void reset(String kind) {
    try {
      switch (kind) {
        case "status" -> driver.common(VirtioPci.DEVICE_STATUS, AccessWidth.BYTE, 0);
        case "queue" -> driver.resetQueue(0);
        default -> fixture.device.reset();
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void nothingIsServedBeforeTheDriverIsReady() throws IOException {
    driver.negotiate(VirtioFeature.EVENT_IDX);
    Virtqueue queue = driver.queue(0, 16);
    int head = queue.add(List.of(fixture.text(0, "abc")), List.of(fixture.ram.slice(256, 3)));
    queue.kick();
    assertThat(host.jobsWaiting()).isZero();
    // What was made available before is found then, without another notification.
    driver.ready();
    assertThat(one(queue)).isEqualTo(new Used(head, 3));
  }

  @Test
  void aQueueMayBeEnabledLate() throws IOException {
    fixture.begin(0, 0);
    fixture.expectShout(driver.queue(1, 2));
  }

  @Test
  void withoutTheBusANotificationWaits() throws IOException {
    Virtqueue queue = fixture.begin(0, VirtioFeature.EVENT_IDX);
    driver.config().busMaster(false);
    int head = queue.add(List.of(fixture.text(0, "abc")), List.of(fixture.ram.slice(256, 3)));
    queue.kick();
    host.settle();
    assertThat(queue.poll()).isEmpty();
    driver.config().busMaster(true);
    assertThat(one(queue)).isEqualTo(new Used(head, 3));
    // It may go while the queue is being looked at, too.
    host.beforeTransfer(() -> busMaster(false));
    queue.add(List.of(fixture.text(0, "abc")), List.of(fixture.ram.slice(256, 3)));
    queue.kick();
    host.settle();
    host.beforeTransfer(() -> {});
    assertThat(fixture.needsReset()).isFalse();
    busMaster(true);
    one(queue);
  }

  private void busMaster(boolean on) {
    try {
      driver.config().busMaster(on);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aBusyQueueLetsOthersOfItsEngineHaveTheirTurn() throws IOException {
    driver.negotiate(VirtioFeature.EVENT_IDX);
    Virtqueue busy = driver.queue(0, 2);
    Virtqueue other = driver.queue(2, 16);
    driver.ready();
    host.settle();
    List<DmaRange> in = List.of(fixture.text(0, "a"));
    busy.add(in, List.of());
    busy.add(in, List.of());
    busy.kick();
    int[] busyHandled = new int[1];
    // Whatever is taken from it is put there again, for much longer than the others wait.
    host.beforeTransfer(() -> {
      try {
        while (busyHandled[0] < 100 && busy.poll().isPresent()) {
          busyHandled[0]++;
          busy.add(in, List.of());
          busy.kick();
        }
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    });
    int head = other.add(in, List.of(fixture.ram.slice(64, 1)));
    other.kick();
    for (int turn = 0; turn < 4 && host.jobsWaiting() > 0; turn++) {
      host.runJob();
      host.runUpdates();
    }
    assertThat(other.poll()).contains(new Used(head, 1));
    assertThat(busyHandled[0]).isLessThan(16);
    assertThat(host.jobsWaiting()).isPositive();
  }

  @Test
  void aMistakeOfTheDevicesWantsAReset() throws IOException {
    Virtqueue queue = fixture.begin(0, 0);
    fixture.shouting.throwsNext = true;
    queue.add(List.of(fixture.text(0, "a")), List.of());
    queue.kick();
    host.settle();
    assertThat(fixture.needsReset()).isTrue();
    assertThat(host.journal()).noneMatch(line -> line.startsWith("threw"));
    fixture.expectRecovery();
  }

  @Test
  void readingAndWritingBeyondARequestIsTold() throws IOException {
    Virtqueue queue = fixture.begin(0, 0);
    fixture.shouting.holds = true;
    queue.add(List.of(fixture.text(0, "abc")), List.of(fixture.ram.slice(256, 3)));
    queue.kick();
    host.settle();
    VirtioRequest request = fixture.shouting.held.getFirst();
    List<Class<?>> thrown = new ArrayList<>();
    fixture
        .shouting
        .host
        .engine(0)
        .submit(job -> {
          for (long offset : new long[] {-1, 1, 3, Long.MAX_VALUE}) {
            try {
              request.read(job, offset, Arena.ofAuto().allocate(3));
            } catch (IndexOutOfBoundsException | DmaFaultException e) {
              thrown.add(e.getClass());
            }
            try {
              request.write(job, offset, Arena.ofAuto().allocate(3));
            } catch (IndexOutOfBoundsException | DmaFaultException e) {
              thrown.add(e.getClass());
            }
          }
        });
    host.settle();
    assertThat(thrown).hasSize(8).containsOnly(IndexOutOfBoundsException.class);
  }
}
