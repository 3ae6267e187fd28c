package dev.peerbar.engine;

import static dev.peerbar.engine.ChainCopier.ABORT;
import static dev.peerbar.engine.ChainCopier.ACTIVE;
import static dev.peerbar.engine.ChainCopier.CHAIN;
import static dev.peerbar.engine.ChainCopier.COMMAND;
import static dev.peerbar.engine.ChainCopier.COMPLETION;
import static dev.peerbar.engine.ChainCopier.COUNT;
import static dev.peerbar.engine.ChainCopier.DONE;
import static dev.peerbar.engine.ChainCopier.ERROR;
import static dev.peerbar.engine.ChainCopier.ERROR_ADDRESS;
import static dev.peerbar.engine.ChainCopier.HALTED;
import static dev.peerbar.engine.ChainCopier.INTERRUPT;
import static dev.peerbar.engine.ChainCopier.RESUME;
import static dev.peerbar.engine.ChainCopier.STATUS;
import static dev.peerbar.engine.ChainCopier.SUSPEND;
import static dev.peerbar.engine.ChainCopier.SUSPENDED;
import static dev.peerbar.engine.ChainCopier.WRITE_STATUS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ResetKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Chains of descriptors, and what a guest can make of them. */
@InEveryMode
final class ChainTest {
  private static final long RAM = 0x10_0000;
  private static final int RAM_BYTES = 1 << 20;
  private static final long STATUS_WORD = RAM;
  private static final long SOURCE = RAM + 0x1_0000;
  private static final long DESTINATION = RAM + 0x2_0000;
  private static final long UNMAPPED = 0xdead_0000L;

  /** Descriptors in no order. */
  private static final long[] AT = {RAM + 0x3000, RAM + 0x1040, RAM + 0x5fc0, RAM + 0x1000};

  private final ChainCopier endpoint = new ChainCopier();
  private final Engine.Polling polling;
  private final FakeHost host;
  private final MemorySegment ram;
  private int transfers;

  ChainTest(Engine.Polling polling) {
    this.polling = polling;
    host = new FakeHost(endpoint, polling);
    ram = host.map(RAM, RAM_BYTES);
    for (int i = 0; i < 0x1_0000; i += Long.BYTES) {
      ram.set(ChainCopier.LONG, SOURCE - RAM + i, 0x1111_1111_1111_1111L * (1 + i / 64 % 15));
    }
    write8(COMPLETION, STATUS_WORD);
  }

  private void write8(long offset, long value) {
    endpoint.write(0, offset, AccessWidth.QWORD, value);
  }

  private void write4(long offset, long value) {
    endpoint.write(0, offset, AccessWidth.DWORD, value);
  }

  private long status() {
    return endpoint.read(0, STATUS, AccessWidth.QWORD);
  }

  private int completed() {
    return (int) endpoint.read(0, COUNT, AccessWidth.DWORD);
  }

  private long word(long iova) {
    return ram.get(ChainCopier.LONG, iova - RAM);
  }

  /** The nth descriptor: copies 64 bytes of its own, tells so, and leads somewhere. */
  private void put(int n, long link) {
    put(AT[n], n, link);
  }

  private void put(long at, int n, long link) {
    MemorySegment descriptor = ram.asSlice(at - RAM, ChainCopier.DESCRIPTOR_BYTES);
    descriptor.set(ChainCopier.INT, ChainCopier.SIZE_OFFSET, 64);
    descriptor.set(ChainCopier.INT, ChainCopier.CONTROL_OFFSET, WRITE_STATUS | INTERRUPT);
    descriptor.set(ChainCopier.LONG, ChainCopier.SOURCE_OFFSET, SOURCE + n * 64L);
    descriptor.set(ChainCopier.LONG, ChainCopier.DESTINATION_OFFSET, DESTINATION + n * 64L);
    descriptor.set(ChainCopier.LONG, ChainCopier.LINK_OFFSET, link);
  }

  /** All four, the last of which leads nowhere. */
  private void putAll() {
    for (int n = 0; n < AT.length; n++) {
      put(n, n + 1 < AT.length ? AT[n + 1] : 0);
    }
  }

  private boolean copied(int n) {
    return ram.asSlice(DESTINATION - RAM + n * 64L, 64)
            .mismatch(ram.asSlice(SOURCE - RAM + n * 64L, 64))
        == -1;
  }

  private boolean untouched(int n) {
    byte[] bytes = ram.asSlice(DESTINATION - RAM + n * 64L, 64).toArray(ValueLayout.JAVA_BYTE);
    for (byte b : bytes) {
      if (b != 0) {
        return false;
      }
    }
    return true;
  }

  /** Has something done amid the nth transfer from now on: each descriptor is three. */
  private void atTransfer(int nth, Runnable action) {
    host.mustWait(true);
    transfers = 0;
    host.beforeTransfer(() -> {
      if (++transfers == nth) {
        action.run();
      }
    });
  }

  private void begin(int count) {
    write8(CHAIN, AT[0]);
    write4(COUNT, count);
  }

  private void halted(int done, int error, long address) {
    assertThat(status() & 7).isEqualTo(HALTED);
    assertThat(completed()).isEqualTo(done);
    assertThat(endpoint.read(0, ERROR, AccessWidth.DWORD)).isEqualTo(error);
    assertThat(endpoint.read(0, ERROR_ADDRESS, AccessWidth.QWORD)).isEqualTo(address);
    assertThat(host.jobsWaiting()).isZero();
  }

  @Nested
  final class Links {

    @Test
    void areFollowedInOrder() {
      putAll();
      begin(4);
      assertThat(status()).isEqualTo(ACTIVE);
      host.settle();

      assertThat(status()).isEqualTo(AT[3] | DONE);
      assertThat(word(STATUS_WORD)).isEqualTo(AT[3] | DONE);
      List<String> expected = new ArrayList<>();
      for (int n = 0; n < 4; n++) {
        assertThat(copied(n)).isTrue();
        expected.addAll(List.of("write 0x%x+8".formatted(STATUS_WORD), "raise 0"));
      }
      assertThat(host.journal()).isEqualTo(expected);
    }

    /** The last one's leads to one that nobody has said is valid. */
    @Test
    void areNotFollowedBeyondWhatIsValid() {
      putAll();
      begin(2);
      host.settle();

      assertThat(completed()).isEqualTo(2);
      assertThat(status()).isEqualTo(AT[1] | DONE);
      assertThat(untouched(2)).isTrue();
    }

    @Test
    void thatAreWrittenLaterAreReadAgain() {
      put(0, 0);
      begin(1);
      host.settle();
      put(0, AT[2]);
      put(2, 0);
      write4(COUNT, 2);
      host.settle();

      assertThat(status()).isEqualTo(AT[2] | DONE);
      assertThat(copied(2)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void areAppendedWhileTheLastOneRuns(int transfer) {
      put(0, 0);
      begin(1);
      atTransfer(
          transfer,
          () -> {
            put(0, AT[1]);
            put(1, 0);
            write4(COUNT, 2);
            assertThat(host.jobsWaiting()).as("one run at a time").isZero();
          });
      host.settle();

      assertThat(status()).isEqualTo(AT[1] | DONE);
      assertThat(copied(1)).isTrue();
    }

    /** A change of one that was valid is no appending. */
    @Test
    void areAppendedTwiceBeforeTheEngineLooks() {
      putAll();
      begin(1);
      write4(COUNT, 2);
      write4(COUNT, 4);
      host.settle();

      assertThat(status()).isEqualTo(AT[3] | DONE);
    }

    @Test
    void mayGoRoundForAsLongAsIsValid() {
      put(0, AT[1]);
      put(1, AT[0]);
      begin(0xffff);
      host.settle();
      assertThat(completed()).isEqualTo(0xffff);
      assertThat(status()).isEqualTo(AT[0] | DONE);

      // The count goes round too.
      write4(COUNT, 2);
      host.settle();
      assertThat(completed()).isEqualTo(2);
      assertThat(status()).isEqualTo(AT[1] | DONE);
    }

    @ParameterizedTest
    @EnumSource(ResetKind.class)
    void thatGoRoundEndWithAReset(ResetKind kind) {
      put(0, AT[0]);
      begin(0xffff);
      atTransfer(3000, () -> host.reset(kind));
      host.runJob();
      assertThat(transfers).as("nothing is issued after the reset").isEqualTo(3000);
      host.settle();

      assertThat(status()).isEqualTo(DONE);
      assertThat(host.jobsWaiting()).isZero();
    }

    @ParameterizedTest
    @ValueSource(longs = {RAM + 0x1041, RAM + 0x1060, 0, -1})
    void thatLeadToNoDescriptorHalt(long link) {
      put(0, link);
      begin(2);
      host.settle();

      halted(1, ChainCopier.LINK_MISALIGNED, link);
      assertThat(status()).isEqualTo(AT[0] | HALTED);
      assertThat(host.raised()).containsExactly(0, 0);
    }

    @Test
    void thatLeadToNoMemoryHalt() {
      put(0, UNMAPPED);
      begin(3);
      host.settle();

      halted(1, ChainCopier.LINK_UNREADABLE, UNMAPPED);
    }

    /** The 64 bytes at the end of the address space are as good as any. */
    @Test
    void mayLeadToTheEndOfTheAddressSpace() {
      MemorySegment end = host.map(-64, 64);
      put(0, -64);
      put(1, 0);
      end.copyFrom(ram.asSlice(AT[1] - RAM, 64));
      begin(2);
      host.settle();

      assertThat(status()).isEqualTo(-64 | DONE);
      assertThat(copied(1)).isTrue();
    }

    @Test
    void thatCannotBeReadAgainHalt() {
      put(0, 0);
      begin(1);
      host.settle();
      host.unmap(RAM);
      write4(COUNT, 2);
      host.settle();

      halted(1, ChainCopier.LINK_UNREADABLE, AT[0] + ChainCopier.LINK_OFFSET);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, RAM + 8, UNMAPPED})
    void ofTheRegisterAreJudgedAlike(long first) {
      write8(CHAIN, first);
      write4(COUNT, 1);
      host.settle();

      int error = first == UNMAPPED ? ChainCopier.LINK_UNREADABLE : ChainCopier.LINK_MISALIGNED;
      halted(0, error, first);
    }
  }

  /** Descriptors one behind another, which are fetched together. */
  @Nested
  final class Neighbours {
    /** So that 62 of them are in a page. */
    private static final long FIRST = RAM + 0x4080;

    private static long at(int n) {
      return FIRST + 64L * n;
    }

    /** The first ones of an array, each of which links to the next one. */
    private void putArray(int count) {
      for (int n = 0; n < count; n++) {
        put(at(n), n, at(n + 1));
      }
    }

    private void beginArray(int count) {
      write8(CHAIN, FIRST);
      write4(COUNT, count);
    }

    /** One until a link leads to a neighbour, 16 at a time, and up to the end of the page. */
    @ParameterizedTest
    @CsvSource({"1, 1", "2, 2", "17, 2", "18, 3", "62, 5", "63, 6", "79, 7"})
    void areFetchedTogether(int count, int fetches) {
      putArray(count);
      beginArray(count);
      atTransfer(0, () -> {});
      host.settle();

      assertThat(status()).isEqualTo(at(count - 1) | DONE);
      assertThat(completed()).isEqualTo(count);
      assertThat(transfers).isEqualTo(fetches + 2 * count);
      for (int n = 0; n < count; n++) {
        assertThat(copied(n)).as("%d", n).isTrue();
      }
    }

    @Test
    void areNoneIfTheLinkLeadsElsewhere() {
      putArray(8);
      put(at(4), 4, AT[0]);
      put(AT[0], 9, 0);
      beginArray(6);
      host.settle();

      assertThat(status()).isEqualTo(AT[0] | DONE);
      assertThat(copied(9)).isTrue();
      assertThat(untouched(5)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, FIRST + 0x148, -1})
    void areNoneIfTheLinkLeadsNowhere(long link) {
      putArray(8);
      put(at(4), 4, link);
      beginArray(8);
      host.settle();

      halted(5, ChainCopier.LINK_MISALIGNED, link);
      assertThat(untouched(5)).isTrue();
    }

    /** What is valid only later may be written later. */
    @Test
    void areNotFetchedBeforeTheyAreValid() {
      putArray(4);
      put(at(3), 9, 0);
      beginArray(3);
      host.settle();
      assertThat(status()).isEqualTo(at(2) | DONE);
      assertThat(untouched(9)).isTrue();

      put(at(3), 3, at(4));
      write4(COUNT, 4);
      host.settle();
      assertThat(status()).isEqualTo(at(3) | DONE);
      assertThat(copied(3)).isTrue();
      assertThat(untouched(9)).isTrue();
    }

    /** The memory ends amid a page. */
    @Test
    void areNoneWhereNothingIs() {
      MemorySegment end = host.map(-0x1000, 3 * 64);
      for (int n = 0; n < 3; n++) {
        put(AT[0], n, -0x1000 + 64 * (n + 1L));
        MemorySegment.copy(ram, AT[0] - RAM, end, 64L * n, 64);
      }
      write8(CHAIN, -0x1000);
      write4(COUNT, 3);
      host.settle();
      assertThat(status()).isEqualTo(-0x1000 + 128 | DONE);

      write4(COUNT, 5);
      host.settle();
      halted(3, ChainCopier.LINK_UNREADABLE, -0x1000 + 192);

      write8(CHAIN, -0x1000);
      write4(COUNT, 5);
      host.settle();
      halted(3, ChainCopier.LINK_UNREADABLE, -0x1000 + 192);
    }

    /** The first one is fetched alone, then 16: at 5 and 6 the second is copied and completed. */
    @ParameterizedTest
    @CsvSource({"5, 1", "6, 1", "7, 2", "8, 2", "35, 16", "36, 16", "37, 17"})
    void areLeftWhenTheChannelIsSuspended(int transfer, int last) {
      putArray(40);
      beginArray(40);
      atTransfer(transfer, () -> write4(COMMAND, SUSPEND));
      host.settle();
      assertThat(status()).isEqualTo(at(last) | SUSPENDED);
      assertThat(completed()).isEqualTo(last + 1);
      assertThat(untouched(last + 1)).isTrue();

      write4(COMMAND, RESUME);
      host.settle();
      assertThat(status()).isEqualTo(at(39) | DONE);
      assertThat(completed()).isEqualTo(40);
      // None is fetched again, none left out.
      assertThat(transfers).isEqualTo(4 + 2 * 40);
      for (int n = 0; n < 40; n++) {
        assertThat(copied(n)).as("%d", n).isTrue();
      }
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 5, 6, 7, 8, 35, 36, 37})
    void areNotDoneAfterAnAbort(int transfer) {
      putArray(40);
      beginArray(40);
      atTransfer(transfer, () -> write4(COMMAND, ABORT));
      host.settle();

      assertThat(transfers).as("nothing is issued after the abort").isEqualTo(transfer);
      int done = completed();
      assertThat(word(STATUS_WORD)).isEqualTo(at(done - 1) | DONE);
      assertThat(untouched(done + 1)).isTrue();
    }

    /** Links among descriptors of an array, some to the next one: in whichever order. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void areAsGoodAsOthers(long seed) {
      Random random = new Random(seed);
      int entries = 100;
      int[] links = new int[entries];
      for (int n = 0; n < entries; n++) {
        links[n] = random.nextInt(4) > 0 ? (n + 1) % entries : random.nextInt(entries);
        put(at(n), n, at(links[n]));
      }
      int count = 1 + random.nextInt(2 * entries);
      Set<Integer> visited = new HashSet<>();
      int current = 0;
      for (int i = 0; i < count; i++) {
        visited.add(current);
        current = i + 1 < count ? links[current] : current;
      }
      beginArray(count);
      host.settle();

      assertThat(status()).isEqualTo(at(current) | DONE);
      assertThat(completed()).isEqualTo(count);
      for (int n = 0; n < entries; n++) {
        assertThat(visited.contains(n) ? copied(n) : untouched(n)).as("%d", n).isTrue();
      }
    }
  }

  @Nested
  final class Failing {

    @Test
    void aFaultHaltsAndSaysWhatWasDone() {
      putAll();
      ram.set(ChainCopier.LONG, AT[2] - RAM + ChainCopier.DESTINATION_OFFSET, UNMAPPED);
      begin(4);
      host.settle();

      halted(2, ChainCopier.DESTINATION_ERROR, UNMAPPED);
      assertThat(word(STATUS_WORD)).isEqualTo(AT[1] | HALTED);
      assertThat(untouched(3)).isTrue();
      write4(COUNT, 5);
      host.settle();
      assertThat(untouched(3)).as("a halted channel").isTrue();
    }

    @Test
    void aDescriptorThatIsNoneMovesNothing() {
      putAll();
      ram.set(ChainCopier.INT, AT[1] - RAM, 0);
      begin(4);
      host.settle();

      halted(1, ChainCopier.LENGTH_ERROR, 0);
      assertThat(untouched(1)).isTrue();
    }

    @Test
    void aStatusThatCannotBeWrittenIsAFailure() {
      putAll();
      write8(COMPLETION, UNMAPPED);
      begin(4);
      host.settle();

      halted(0, ChainCopier.DESTINATION_ERROR, UNMAPPED);
      assertThat(copied(0)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6})
    void whatThrowsHalts(int transfer) {
      putAll();
      begin(4);
      atTransfer(
          transfer,
          () -> {
            throw new IllegalStateException("broken");
          });
      host.settle();

      halted((transfer - 1) / 3, ChainCopier.BROKEN, 0);
    }

    @Test
    void anotherChainStartsAfresh() {
      put(0, UNMAPPED);
      begin(2);
      host.settle();
      put(1, 0);
      write8(CHAIN, AT[1]);
      write4(COUNT, 1);
      host.settle();

      assertThat(status()).isEqualTo(AT[1] | DONE);
      assertThat(endpoint.read(0, ERROR, AccessWidth.DWORD)).isZero();
    }
  }

  /** A job ends amid a chain, at each of its transfers. */
  @Nested
  final class Ending {

    private void endsAt(int transfer, Runnable end) {
      putAll();
      begin(4);
      atTransfer(transfer, end);
      host.runJob();
      List<String> journal = List.copyOf(host.journal());
      assertThat(transfers).as("nothing is issued after the end").isEqualTo(transfer);
      host.settle();

      assertThat(host.journal()).as("nor raised").isEqualTo(journal);
      int done = (transfer - 1) / 3;
      // Fetched, copied, told: what is told is copied, and the next one is neither.
      assertThat(word(STATUS_WORD)).isEqualTo(done == 0 ? 0 : AT[done - 1] | DONE);
      for (int n = 0; n < 4; n++) {
        boolean wasCopied = 3 * n + 2 < transfer;
        assertThat(wasCopied ? copied(n) : untouched(n)).as("%d", n).isTrue();
      }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 11, 12})
    void byAReset(int transfer) {
      endsAt(transfer, () -> host.reset(ResetKind.FUNCTION_LEVEL));

      assertThat(status()).isEqualTo(DONE);
      assertThat(host.raised()).hasSize((transfer - 1) / 3);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 11, 12})
    void byAnAbort(int transfer) {
      endsAt(transfer, () -> write4(COMMAND, ABORT));

      assertThat(completed()).isEqualTo((transfer - 1) / 3);
    }

    /**
     * The last descriptor of a run is done and the next run queued: the first has yet to signal.
     */
    @Test
    void byAnAbortSilencesARunThatHasHandedOver() {
      putAll();
      host.mustWait(true);
      host.beforeSignal(() -> {
        write4(COUNT, 2);
        assertThat(host.jobsWaiting()).isEqualTo(polling == Engine.Polling.NEVER ? 1 : 0);
        write4(COMMAND, ABORT);
      });
      begin(1);
      host.settle();

      assertThat(completed()).isEqualTo(1);
      assertThat(host.raised()).isEmpty();
      assertThat(untouched(1)).isTrue();
    }

    /** What a migration does: another channel goes on with what the first has not told. */
    @ParameterizedTest
    @ValueSource(ints = {4, 5, 6, 7, 12})
    void andGoesOnElsewhere(int transfer) {
      endsAt(transfer, host::endJobs);
      int done = completed();
      long last = status() & -64;
      assertThat(last).isEqualTo(AT[done - 1]);

      host.beforeTransfer(() -> {});
      endpoint.beginAfter(last);
      write4(COUNT, 4 - done);
      host.settle();

      assertThat(status()).isEqualTo(AT[3] | DONE);
      for (int n = 0; n < 4; n++) {
        assertThat(copied(n)).isTrue();
      }
    }
  }

  @Nested
  final class Suspending {

    @ParameterizedTest
    @ValueSource(ints = {4, 5, 6})
    void stopsBetweenTwoDescriptors(int transfer) {
      putAll();
      begin(4);
      atTransfer(transfer, () -> write4(COMMAND, SUSPEND));
      host.settle();

      assertThat(status()).isEqualTo(AT[1] | SUSPENDED);
      assertThat(copied(1)).isTrue();
      assertThat(untouched(2)).isTrue();
      write4(COUNT, 4);
      host.settle();
      assertThat(untouched(2)).isTrue();

      write4(COMMAND, RESUME);
      host.settle();
      assertThat(status()).isEqualTo(AT[3] | DONE);
      assertThat(copied(3)).isTrue();
    }

    @Test
    void holdsBackWhatBecomesValid() {
      putAll();
      begin(1);
      host.settle();
      write4(COMMAND, SUSPEND);
      assertThat(status()).isEqualTo(AT[0] | SUSPENDED);
      write4(COUNT, 3);
      assertThat(host.jobsWaiting()).isZero();

      write4(COMMAND, RESUME);
      host.settle();
      assertThat(status()).isEqualTo(AT[2] | DONE);
    }

    @Test
    void isOverBeforeTheEngineLooked() {
      putAll();
      begin(4);
      atTransfer(
          2,
          () -> {
            write4(COMMAND, SUSPEND);
            assertThat(status()).isEqualTo(ACTIVE);
            write4(COMMAND, RESUME);
          });
      host.settle();

      assertThat(status()).isEqualTo(AT[3] | DONE);
    }

    @Test
    void goesOnWithWhatBecameValid() {
      putAll();
      begin(2);
      atTransfer(2, () -> write4(COMMAND, SUSPEND));
      host.settle();
      write4(COUNT, 4);
      write4(COMMAND, RESUME);
      host.settle();

      assertThat(status()).isEqualTo(AT[3] | DONE);
    }

    @Test
    void endsWithAnAbort() {
      putAll();
      begin(4);
      atTransfer(2, () -> write4(COMMAND, SUSPEND));
      host.settle();
      write4(COMMAND, ABORT);
      write4(COMMAND, RESUME);
      host.settle();

      assertThat(untouched(1)).isTrue();
      assertThat(completed()).isEqualTo(1);
    }
  }
}
