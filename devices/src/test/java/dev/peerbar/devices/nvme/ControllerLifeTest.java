package dev.peerbar.devices.nvme;

import static dev.peerbar.devices.nvme.NvmeFixture.eventRequest;
import static dev.peerbar.devices.nvme.NvmeFixture.identifyController;
import static dev.peerbar.devices.nvme.NvmeFixture.io;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.storage.StorageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@InEveryMode
final class ControllerLifeTest {
  private static final int RDY = 1;
  private static final int CFS = 2;
  private static final int SHUTTING_DOWN = 1 << 2;
  private static final int SHUT_DOWN = 2 << 2;

  private static final long GOOD_CC = 0x0046_0001;
  private static final long SHUTDOWN_CC = GOOD_CC | 1 << 14;

  private static final long QUEUES = 0x8000_0000L;

  private final NvmeFixture nvme;

  ControllerLifeTest(Engine.Polling polling) {
    nvme = new NvmeFixture(polling);
  }

  /** Admin queues of 32 entries where there is memory, the controller disabled. */
  private void prepare() {
    nvme.host.map(QUEUES, 0x2000);
    nvme.write4(NvmeRegisters.AQA, 0x001f_001f);
    nvme.write8(NvmeRegisters.ASQ, QUEUES);
    nvme.write8(NvmeRegisters.ACQ, QUEUES + 0x1000);
  }

  @Test
  void readyComesWhenTheEnginesAreFree() {
    prepare();
    nvme.write4(NvmeRegisters.CC, GOOD_CC);
    assertThat(nvme.status()).isZero();

    while (nvme.host.jobsWaiting() > 1) {
      nvme.host.runJob();
      nvme.host.runUpdates();
      assertThat(nvme.status()).as("an engine has work of before").isZero();
    }
    nvme.host.settle();
    assertThat(nvme.status()).isEqualTo(RDY);
  }

  @Test
  void disabledBeforeItWasReadyItNeverIs() {
    prepare();
    nvme.write4(NvmeRegisters.CC, GOOD_CC);
    nvme.write4(NvmeRegisters.CC, 0);
    nvme.host.settle();
    assertThat(nvme.status()).isZero();

    nvme.write4(NvmeRegisters.CC, GOOD_CC);
    nvme.write4(NvmeRegisters.CC, 0);
    nvme.write4(NvmeRegisters.CC, GOOD_CC);
    assertThat(nvme.status()).isZero();
    nvme.host.settle();
    assertThat(nvme.status()).isEqualTo(RDY);
  }

  @ParameterizedTest
  @CsvSource({
    "0x460011, CSS 1",
    "0x460071, CSS admin only",
    "0x460281, MPS 128 KiB",
    "0x461001, AMS 2",
    "0x463801, AMS vendor specific",
    "0x470001, IOSQES 7",
    "0x560001, IOCQES 5",
  })
  void badConfigurationIsFatal(String cc, String what) throws IOException {
    prepare();
    nvme.write4(NvmeRegisters.CC, Long.decode(cc));
    nvme.host.settle();
    assertThat(nvme.status()).as(what).isEqualTo(CFS);

    nvme.write4(NvmeRegisters.CC, 0);
    assertThat(nvme.status()).isZero();
    nvme.driver.enable();
    assertThat(nvme.status()).isEqualTo(RDY);
  }

  @ParameterizedTest
  @CsvSource({
    "0x001f0000, 0x80000000, 0x80001000, 0x460001",
    "0x0000001f, 0x80000000, 0x80001000, 0x460001",
    "0x001f001f, 0x80001000, 0x80002000, 0x460081",
    "0x001f001f, 0x80000000, 0x80001000, 0x460081",
  })
  void badAdminQueuesAreFatal(String aqa, String asq, String acq, String cc) {
    nvme.write4(NvmeRegisters.AQA, Long.decode(aqa));
    nvme.write8(NvmeRegisters.ASQ, Long.decode(asq));
    nvme.write8(NvmeRegisters.ACQ, Long.decode(acq));
    nvme.write4(NvmeRegisters.CC, Long.decode(cc));
    nvme.host.settle();
    assertThat(nvme.status()).isEqualTo(CFS);
  }

  @Test
  void entrySizesMayComeLater() {
    prepare();
    nvme.write4(NvmeRegisters.CC, 1);
    nvme.host.settle();
    assertThat(nvme.status()).isEqualTo(RDY);
    nvme.write4(NvmeRegisters.CC, GOOD_CC | 4 << 7 | 1 << 11);
    assertThat(nvme.read4(NvmeRegisters.CC)).as("only they").isEqualTo(GOOD_CC);
    assertThat(nvme.status()).isEqualTo(RDY);
  }

  @Test
  void unreachableAdminQueueIsFatalUntilAReset() throws IOException {
    nvme.driver.enable();
    nvme.host.unmap(NvmeFixture.RAM);
    nvme.write4(NvmeRegisters.submissionDoorbell(0), 1);
    nvme.host.settle();
    assertThat(nvme.status() & CFS).isEqualTo(CFS);

    nvme.write4(NvmeRegisters.submissionDoorbell(0), 2);
    assertThat(nvme.host.jobsWaiting()).as("nothing is done any more").isZero();

    nvme.write4(NvmeRegisters.CC, 0);
    assertThat(nvme.status()).isZero();
    prepare();
    nvme.write4(NvmeRegisters.CC, GOOD_CC);
    nvme.host.settle();
    assertThat(nvme.status()).isEqualTo(RDY);
  }

  // Shutdown.

  @ParameterizedTest
  @ValueSource(longs = {1 << 14, 2 << 14})
  void shutdownEndsWhenAllIsOnStableStorage(long notification) throws IOException {
    nvme.driver.enable();
    nvme.write4(NvmeRegisters.CC, GOOD_CC | notification);
    assertThat(nvme.status()).isEqualTo(RDY | SHUTTING_DOWN);
    assertThat(nvme.storage.calls()).as("not on the function's thread").isEmpty();

    nvme.host.settle();

    assertThat(nvme.status()).isEqualTo(RDY | SHUT_DOWN);
    assertThat(nvme.storage.calls()).containsExactly("flush");
    nvme.write4(NvmeRegisters.CC, GOOD_CC | notification);
    assertThat(nvme.host.jobsWaiting()).as("once").isZero();
    nvme.driver.disable();
    assertThat(nvme.status()).isZero();
    nvme.driver.enable();
  }

  @Test
  void shutdownEndsEvenIfStorageFails() throws IOException {
    nvme.driver.enable();
    nvme.storage.before(what -> {
      throw new StorageException(StorageException.Kind.WRITE_FAILED, "gone");
    });
    nvme.write4(NvmeRegisters.CC, SHUTDOWN_CC);
    nvme.host.settle();
    assertThat(nvme.status()).isEqualTo(RDY | SHUT_DOWN);
  }

  @Test
  void anOldShutdownDoesNotEndInANewLife() throws IOException {
    nvme.driver.enable();
    nvme.write4(NvmeRegisters.CC, SHUTDOWN_CC);
    nvme.driver.disable();
    nvme.write4(NvmeRegisters.CC, GOOD_CC);
    nvme.host.settle();
    assertThat(nvme.status()).isEqualTo(RDY);
  }

  @Test
  void aShutdownDoesNotOutliveAReset() throws IOException {
    nvme.driver.enable();
    nvme.write4(NvmeRegisters.CC, SHUTDOWN_CC);
    nvme.driver.disable();
    nvme.host.settle();
    assertThat(nvme.status()).isZero();
  }

  @Test
  void shutdownCanBeAskedForWhileDisabled() throws IOException {
    nvme.write4(NvmeRegisters.CC, SHUTDOWN_CC & ~1L);
    nvme.host.settle();
    assertThat(nvme.status()).isEqualTo(SHUT_DOWN);
    nvme.driver.enable();
    assertThat(nvme.status()).isEqualTo(RDY);
  }

  private long unsafeShutdowns() throws IOException {
    DmaRange buffer = nvme.driver.allocate(4096);
    nvme.driver
        .admin()
        .succeed(
            SubmissionEntry.builder(AdminOpcode.GET_LOG_PAGE)
                .prp1(buffer.iova())
                .dword(10, 2 | 127 << 16));
    return ByteBuffer.wrap(buffer.read(0, 512)).order(ByteOrder.LITTLE_ENDIAN).getLong(144);
  }

  @Test
  void onlyALostHostIsAnUnsafeShutdown() throws IOException {
    nvme.host.reset(ResetKind.BUS_OR_DEVICE);
    nvme.driver.enable();
    nvme.host.reset(ResetKind.FUNCTION_LEVEL);
    nvme.driver.enable();
    nvme.write4(NvmeRegisters.CC, SHUTDOWN_CC);
    nvme.host.settle();
    nvme.host.reset(ResetKind.BUS_OR_DEVICE);
    nvme.driver.enable();
    assertThat(unsafeShutdowns()).isZero();

    nvme.host.reset(ResetKind.BUS_OR_DEVICE);
    nvme.driver.enable();
    assertThat(unsafeShutdowns()).isEqualTo(1);
  }

  // Interrupts.

  private List<String> pinJournal() {
    return nvme.host.journal().stream().filter(line -> line.startsWith("pin")).toList();
  }

  @Test
  void thePinFollowsWhatTheHostHasNotTaken() throws IOException {
    nvme.driver.enable();
    NvmeQueue admin = nvme.driver.admin();
    admin.put(identifyController(nvme.driver.allocate(4096).iova()).build());
    admin.ring();
    nvme.host.settle();
    assertThat(pinJournal()).containsExactly("pin true");

    nvme.write4(NvmeRegisters.INTMS, 1);
    assertThat(pinJournal()).containsExactly("pin true", "pin false");
    assertThat(nvme.read4(NvmeRegisters.INTMC)).isEqualTo(1);
    nvme.write4(NvmeRegisters.INTMC, 1);
    assertThat(pinJournal()).containsExactly("pin true", "pin false", "pin true");

    assertThat(admin.poll()).isPresent();
    admin.ringHead();
    assertThat(pinJournal()).last().isEqualTo("pin false");
  }

  @Test
  void aResetDeassertsThePin() throws IOException {
    nvme.driver.enable();
    NvmeQueue admin = nvme.driver.admin();
    admin.put(identifyController(nvme.driver.allocate(4096).iova()).build());
    admin.ring();
    nvme.host.settle();
    nvme.driver.disable();
    assertThat(pinJournal()).containsExactly("pin true", "pin false");
  }

  @Test
  void withMsixTheMaskIsTheTables() throws IOException {
    nvme.device.enableMsix(1);
    nvme.driver.enable();
    nvme.write4(NvmeRegisters.INTMS, 1);
    assertThat(nvme.read4(NvmeRegisters.INTMS)).isZero();

    nvme.driver.admin().succeed(identifyController(nvme.driver.allocate(4096).iova()));

    assertThat(nvme.host.raised()).contains(0);
    assertThat(pinJournal()).isEmpty();
  }

  // Doorbells and events.

  private CompletionEntry awaitEvent(Runnable cause) throws IOException {
    NvmeQueue admin = nvme.driver.admin();
    admin.put(eventRequest().commandId(0x77).build());
    admin.ring();
    nvme.host.settle();
    assertThat(admin.poll()).isEmpty();
    cause.run();
    return admin.await();
  }

  @Test
  void aDoorbellOfNoQueueIsToldOf() throws IOException {
    nvme.driver.enable();
    CompletionEntry event = awaitEvent(() -> nvme.write4(NvmeRegisters.submissionDoorbell(2), 1));
    assertThat(event.commandId()).isEqualTo(0x77);
    assertThat(event.dword0()).isEqualTo(0x01_00_00);
  }

  @ParameterizedTest
  @ValueSource(longs = {0x1028, 0x102c, 0x2000, 0x3ffc})
  void soIsOneThatIsNone(long offset) throws IOException {
    nvme.driver.enable();
    assertThat(awaitEvent(() -> nvme.write4(offset, 1)).dword0()).isEqualTo(0x01_00_00);
  }

  @Test
  void aDoorbellValueOutsideTheQueueIsToldOf() throws IOException {
    nvme.driver.enable();
    nvme.driver.createQueue(1, 8);
    CompletionEntry event = awaitEvent(() -> nvme.write4(NvmeRegisters.submissionDoorbell(1), 8));
    assertThat(event.dword0()).isEqualTo(0x01_01_00);
  }

  @Test
  void doorbellsOfADisabledControllerAreIgnored() throws IOException {
    nvme.write4(NvmeRegisters.submissionDoorbell(0), 1);
    assertThat(nvme.host.jobsWaiting()).isZero();
    nvme.driver.enable();
    nvme.driver.disable();
    nvme.write4(NvmeRegisters.submissionDoorbell(0), 1);
    nvme.host.settle();
    assertThat(nvme.status()).isZero();
  }

  @Test
  void mappedDoorbellsBeginAtZero() throws IOException {
    NvmeFixture mapped =
        new NvmeFixture(nvme.polling, new NvmeConfig(512, 0, 2, DoorbellMode.MAP, "TEST"));
    mapped.driver.enable();
    mapped.host.journal().clear();

    mapped.driver.createQueue(1, 8);
    assertThat(mapped.host.journal())
        .contains("clear doorbell 0 0x1008", "clear doorbell 0 0x100c");

    mapped.host.journal().clear();
    mapped.driver.disable();
    assertThat(mapped.host.journal())
        .contains(
            "clear doorbell 0 0x1000",
            "clear doorbell 0 0x1004",
            "clear doorbell 0 0x1010",
            "clear doorbell 0 0x1014");
  }

  // Old generations.

  /** The host ends all jobs for any reset but this one. */
  @Test
  void nothingOfAnOldLifeIsCompletedOnceItIsDisabled() throws IOException {
    nothingOfAnOldLifeIsCompleted(() -> nvme.write4(NvmeRegisters.CC, 0));
  }

  @ParameterizedTest
  @EnumSource(ResetKind.class)
  void nothingOfAnOldLifeIsCompletedAfterAReset(ResetKind kind) throws IOException {
    nothingOfAnOldLifeIsCompleted(() -> nvme.host.reset(kind));
  }

  private void nothingOfAnOldLifeIsCompleted(Runnable end) throws IOException {
    nvme.driver.enable();
    NvmeQueue old = nvme.driver.admin();
    old.put(eventRequest().commandId(1).build());
    old.put(identifyController(nvme.driver.allocate(4096).iova()).commandId(2).build());
    old.ring();
    nvme.host.runJob();
    nvme.host.runUpdates();
    assertThat(nvme.host.jobsWaiting()).as("data on its way").isPositive();

    end.run();
    nvme.host.journal().clear();
    nvme.host.settle();

    assertThat(nvme.host.journal()).noneMatch(line -> line.startsWith("write"));
    assertThat(nvme.host.journal()).noneMatch(line -> line.startsWith("raise"));
    assertThat(old.poll()).isEqualTo(Optional.empty());
    nvme.driver.enable();
    nvme.write4(NvmeRegisters.submissionDoorbell(3), 1);
    nvme.host.settle();
    assertThat(nvme.driver.admin().poll()).as("the old request").isEmpty();
  }

  @Test
  void featuresAreTheirDefaultsAgain() throws IOException {
    nvme.driver.enable();
    SubmissionEntry.Builder off =
        SubmissionEntry.builder(AdminOpcode.SET_FEATURES).dword(10, 0x06).dword(11, 0);
    nvme.driver.admin().succeed(off);
    SubmissionEntry.Builder get = SubmissionEntry.builder(AdminOpcode.GET_FEATURES).dword(10, 0x06);
    assertThat(nvme.driver.admin(get).dword0()).isZero();

    nvme.driver.disable();
    nvme.driver.enable();

    assertThat(nvme.driver.admin(get).dword0()).isEqualTo(1);
  }

  @Test
  void writesAreDurableWhileTheCacheIsOff() throws IOException {
    nvme.driver.enable();
    nvme.driver
        .admin()
        .succeed(SubmissionEntry.builder(AdminOpcode.SET_FEATURES).dword(10, 0x06).dword(11, 0));
    NvmeQueue queue = nvme.driver.createQueue(1, 8);
    DmaRange buffer = nvme.driver.allocate(4096);
    assertThat(queue.execute(io(IoOpcode.WRITE, 0, 1, buffer)).status()).isEqualTo(Status.SUCCESS);
    assertThat(nvme.storage.calls()).containsExactly("write 0+512 durable");
  }
}
