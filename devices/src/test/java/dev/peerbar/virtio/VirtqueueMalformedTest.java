package dev.peerbar.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.virtio.VirtioDriver;
import dev.peerbar.driver.virtio.Virtqueue;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What no driver may do: the device wants a reset, touches nothing, and works after it. */
class VirtqueueMalformedTest {
  private static final int NEXT = SplitRing.F_NEXT;
  private static final int WRITE = SplitRing.F_WRITE;
  private static final int INDIRECT = SplitRing.F_INDIRECT;
  private static final int SIZE = 16;
  private static final long UNMAPPED = 0xdead_0000L;

  private VirtioFixture fixture;
  private VirtioDriver driver;

  @BeforeEach
  void start() throws IOException {
    fixture = new VirtioFixture();
    driver = fixture.driver;
  }

  /** Writes what is wrong, and offers it. */
  interface Mischief {
    void to(Virtqueue queue, DmaRange ram) throws IOException;
  }

  record Case(String name, Mischief mischief) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Case one(String name, long iova, int length, int flags, int next) {
    return new Case(
        name,
        (queue, ram) -> {
          queue.descriptor(0, iova == 0 ? ram.iova() : iova, length, flags, next);
          queue.offer(0);
        });
  }

  private static Case table(String name, Mischief filler, int bytes) {
    return new Case(
        name,
        (queue, ram) -> {
          filler.to(queue, ram);
          queue.descriptor(0, ram.iova(), bytes, INDIRECT, 0);
          queue.offer(0);
        });
  }

  static Stream<Case> cases() {
    return Stream.of(
        one("a descriptor without a byte", 0, 0, 0, 0),
        one("a next one beyond the table", 0, 4, NEXT, SIZE),
        one("a next one far beyond the table", 0, 4, NEXT, 0xffff),
        one("itself as the next one", 0, 4, NEXT, 0),
        one("a buffer beyond the address space", -2, 4, 0, 0),
        one("a table and a next one", 0, 32, INDIRECT | NEXT, 1),
        one("an empty table", 0, 0, INDIRECT, 0),
        one("a table of half a descriptor", 0, 24, INDIRECT, 0),
        one("a table beyond the address space", -32, 64, INDIRECT, 0),
        one("a table that is not there", UNMAPPED, 32, INDIRECT, 0),
        new Case("a head beyond the table", (queue, _) -> queue.offer(SIZE)),
        new Case("a head far beyond the table", (queue, _) -> queue.offer(0xffff)),
        new Case(
            "a long loop",
            (queue, ram) -> {
              for (int i = 0; i < SIZE; i++) {
                queue.descriptor(i, ram.iova(), 4, NEXT, (i + 1) % SIZE);
              }
              queue.offer(3);
            }),
        new Case(
            "a buffer to read behind one to write",
            (queue, ram) -> {
              queue.descriptor(0, ram.iova(), 4, WRITE | NEXT, 1);
              queue.descriptor(1, ram.iova(), 4, 0, 0);
              queue.offer(0);
            }),
        new Case(
            "more than 2^32 bytes",
            (queue, ram) -> {
              queue.descriptor(0, ram.iova(), -1, NEXT, 1);
              queue.descriptor(1, ram.iova(), 2, WRITE, 0);
              queue.offer(0);
            }),
        table(
            "a table in a table",
            (_, ram) -> Virtqueue.descriptor(ram, 0, ram.iova(), 16, INDIRECT, 0),
            16),
        table(
            "a next one beyond a table",
            (_, ram) -> Virtqueue.descriptor(ram, 0, ram.iova(), 4, NEXT, 1),
            16),
        table(
            "a next one far beyond a table",
            (_, ram) -> {
              Virtqueue.descriptor(ram, 0, ram.iova(), 4, NEXT, 5);
              Virtqueue.descriptor(ram, 5, ram.iova(), 4, 0, 0);
            },
            32),
        table(
            "a loop in a table",
            (_, ram) -> {
              Virtqueue.descriptor(ram, 0, ram.iova(), 4, NEXT, 1);
              Virtqueue.descriptor(ram, 1, ram.iova(), 4, NEXT, 0);
            },
            32),
        table(
            "too many in a table",
            (_, ram) -> {
              for (int i = 0; i <= DescriptorReader.MOST_INDIRECT; i++) {
                Virtqueue.descriptor(ram, i, ram.iova(), 4, NEXT, i + 1);
              }
              Virtqueue.descriptor(ram, DescriptorReader.MOST_INDIRECT + 1, ram.iova(), 4, 0, 0);
            },
            0x8000),
        table(
            "a buffer to read behind one to write, in a table",
            (_, ram) -> {
              Virtqueue.descriptor(ram, 0, ram.iova(), 4, WRITE | NEXT, 1);
              Virtqueue.descriptor(ram, 1, ram.iova(), 4, 0, 0);
            },
            32),
        table(
            "a descriptor without a byte, in a table",
            (_, ram) -> Virtqueue.descriptor(ram, 0, ram.iova(), 0, 0, 0),
            16),
        table(
            "more than 2^32 bytes, in a table",
            (_, ram) -> {
              Virtqueue.descriptor(ram, 0, ram.iova(), -1, NEXT, 1);
              Virtqueue.descriptor(ram, 1, ram.iova(), -1, 0, 0);
            },
            32));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aDeviceWantsAReset(Case wrong) throws IOException {
    Virtqueue queue = fixture.begin(0, VirtioFeature.TRANSPORT);
    wrong.mischief.to(queue, fixture.ram);
    queue.kick();
    expectBroken(queue);
    assertThat(fixture.shouting.handled).isZero();
    fixture.expectRecovery();
  }

  /** The driver is told, nothing was used, and nothing is looked at any more. */
  private void expectBroken(Virtqueue queue) throws IOException {
    fixture.device.host().settle();
    assertThat(fixture.needsReset()).isTrue();
    assertThat(queue.poll()).isEmpty();
    // The configuration's vector, once.
    assertThat(fixture.device.host().raised()).containsExactly(0);
    assertThat(driver.isr()).isEqualTo(VirtioPci.ISR_CONFIGURATION);
    assertThat(fixture.device.host().journal()).noneMatch(line -> line.startsWith("threw"));
    fixture.device.host().journal().clear();
    queue.ring();
    fixture.device.host().settle();
    assertThat(fixture.device.host().journal()).isEmpty();
  }

  @Test
  void moreThanTheQueueHasIsAvailable() throws IOException {
    for (int index : new int[] {SIZE + 1, 0x8000, 0xffff}) {
      driver.resetDevice();
      fixture.device.host().raised().clear();
      Virtqueue queue = fixture.begin(0, VirtioFeature.TRANSPORT);
      // Each of them would be a request.
      queue.descriptor(0, fixture.ram.iova(), 4, 0, 0);
      queue.availableIndex(index);
      queue.ring();
      expectBroken(queue);
      assertThat(fixture.shouting.handled).isZero();
    }
  }

  /** What is behind the table looks like one more descriptor. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theSizeThatTheDriverChoseCounts(boolean head) throws IOException {
    driver.negotiate(0);
    DmaRange memory = device(0x3000);
    Virtqueue queue =
        driver.queue(
            0, memory.slice(0, 8 * 16), memory.slice(0x1000, 64), memory.slice(0x2000, 128));
    driver.ready();
    Virtqueue.descriptor(memory, 0, fixture.ram.iova(), 4, NEXT, 8);
    Virtqueue.descriptor(memory, 8, fixture.ram.iova(), 4, 0, 0);
    queue.offer(head ? 8 : 0);
    queue.kick();
    expectBroken(queue);
    assertThat(fixture.shouting.handled).isZero();
  }

  @Test
  void aTableIsRefusedThatWasNotAgreedOn() throws IOException {
    Virtqueue queue = fixture.begin(0, 0);
    queue.addIndirect(fixture.ram.slice(0, 16), List.of(fixture.ram.slice(64, 4)), List.of());
    queue.kick();
    expectBroken(queue);
    fixture.expectRecovery();
  }

  @Test
  void aQueueGoesOnWhenAnotherOneIsBroken() throws IOException {
    driver.negotiate(0);
    Virtqueue broken = driver.queue(0, 16);
    Virtqueue other = driver.queue(2, 16);
    driver.ready();
    broken.offer(SIZE);
    broken.kick();
    expectBroken(broken);
    fixture.expectShout(other);
    assertThat(fixture.needsReset()).isTrue();
    // It takes a reset, not a new beginning of the queue.
    broken.ring();
    fixture.device.host().settle();
    assertThat(broken.poll()).isEmpty();
  }

  @Test
  void partsOfAQueueHaveToBeWhereTheyCanBe() throws IOException {
    DmaRange memory = device(0x3000);
    long[][] places = {
      {memory.iova() + 8, memory.iova() + 0x1000, memory.iova() + 0x2000},
      {memory.iova(), memory.iova() + 0x1001, memory.iova() + 0x2000},
      {memory.iova(), memory.iova() + 0x1000, memory.iova() + 0x2002},
      {-16, memory.iova() + 0x1000, memory.iova() + 0x2000},
      {memory.iova(), -2, memory.iova() + 0x2000},
      {memory.iova(), memory.iova() + 0x1000, -4},
      // Where nothing is mapped.
      {memory.iova(), UNMAPPED, memory.iova() + 0x2000},
      {memory.iova(), memory.iova() + 0x1000, UNMAPPED},
      {UNMAPPED, memory.iova() + 0x1000, memory.iova() + 0x2000},
    };
    for (long[] place : places) {
      memory.clear();
      driver.resetDevice();
      fixture.device.host().raised().clear();
      driver.negotiate(VirtioFeature.EVENT_IDX);
      driver.select(0);
      driver.common(VirtioPci.QUEUE_DESC, AccessWidth.QWORD, place[0]);
      driver.common(VirtioPci.QUEUE_DRIVER, AccessWidth.QWORD, place[1]);
      driver.common(VirtioPci.QUEUE_DEVICE, AccessWidth.QWORD, place[2]);
      driver.common(VirtioPci.QUEUE_ENABLE, AccessWidth.WORD, 1);
      // One request, but for its rings.
      Virtqueue.descriptor(memory, 0, fixture.ram.iova(), 4, 0, 0);
      memory.store(0x1002, AccessWidth.WORD, 1);
      fixture.shouting.handled = 0;
      driver.ready();
      fixture.device.host().settle();
      assertThat(fixture.needsReset()).isTrue();
      assertThat(fixture.device.host().raised()).containsExactly(0);
      assertThat(fixture.shouting.handled).isEqualTo(place[2] == UNMAPPED ? 1 : 0);
    }
    fixture.expectRecovery();
  }

  private DmaRange device(long bytes) {
    return fixture.device.allocate(bytes);
  }

  @Test
  void buffersThatAreNotThereWantAReset() throws IOException {
    for (int flags : new int[] {0, WRITE}) {
      driver.resetDevice();
      fixture.device.host().raised().clear();
      Virtqueue queue = fixture.begin(0, 0);
      queue.descriptor(0, flags == 0 ? UNMAPPED : fixture.ram.iova(), 4, NEXT, 1);
      queue.descriptor(1, flags == 0 ? fixture.ram.iova() : UNMAPPED, 4, WRITE, 0);
      queue.offer(0);
      queue.kick();
      expectBroken(queue);
    }
    fixture.expectRecovery();
  }

  @Test
  void aChainOfAllBytesThereCanBeIsNone() throws IOException {
    Virtqueue queue = fixture.begin(0, 0);
    fixture.shouting.holds = true;
    queue.descriptor(0, 0x1_0000_0000L, -1, NEXT, 1);
    queue.descriptor(1, 0x1_0000_0000L, 1, WRITE, 0);
    queue.offer(0);
    queue.kick();
    fixture.device.host().settle();
    assertThat(fixture.needsReset()).isFalse();
    assertThat(fixture.shouting.held.getFirst().readable()).isEqualTo(0xffff_ffffL);
    assertThat(fixture.shouting.held.getFirst().writable()).isEqualTo(1);
  }

  @Test
  void aDescriptorIsReadOnce() throws IOException {
    Virtqueue queue = fixture.begin(0, 0);
    fixture.text(0, "abc");
    DmaRange answer = fixture.ram.slice(256, 3);
    queue.add(List.of(fixture.ram.slice(0, 3)), List.of(answer));
    queue.kick();
    int[] transfers = new int[1];
    // Changed as soon as both have been read, to what would be refused.
    fixture
        .device
        .host()
        .beforeTransfer(() -> {
          if (++transfers[0] == 7) {
            try {
              queue.descriptor(0, UNMAPPED, 0, NEXT | INDIRECT, 0xffff);
              queue.descriptor(1, UNMAPPED, 0, NEXT | INDIRECT, 0xffff);
            } catch (IOException e) {
              throw new AssertionError(e);
            }
          }
        });
    assertThat(queue.await(VirtioFixture.LIMIT).written()).isEqualTo(3);
    assertThat(VirtioFixture.string(answer)).isEqualTo("ABC");
    assertThat(transfers[0]).isGreaterThan(7);
  }
}
