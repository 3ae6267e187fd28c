package dev.peerbar.devices.nvme.admin;

import static dev.peerbar.devices.nvme.admin.AdminFixture.identify;
import static dev.peerbar.devices.nvme.admin.AdminFixture.log;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.storage.StorageException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class LogPagesTest {
  private static final int ERRORS = 1;
  private static final int SMART = 2;
  private static final int FIRMWARE = 3;
  private static final int CHANGED = 4;
  private static final int EFFECTS = 5;

  private final AdminFixture nvme = new AdminFixture();

  private void fail(int commandId, int cns) {
    nvme.run(identify(cns, 1).commandId(commandId));
  }

  @Test
  void newestErrorComesFirst() {
    fail(0x1111, 0x44);
    nvme.errors.add(3, 0x2222, Status.LBA_OUT_OF_RANGE, 40, 0x1234_5678_9abcL, 1);

    ByteBuffer page = nvme.run(log(ERRORS, 4096, false)).data();

    assertThat(page.getLong(0)).as("count").isEqualTo(2);
    assertThat(page.getShort(8)).as("queue").isEqualTo((short) 3);
    assertThat(page.getShort(10)).as("command").isEqualTo((short) 0x2222);
    assertThat(page.getShort(12)).as("status").isEqualTo((short) (0x6080 << 1));
    assertThat(page.getShort(14)).as("parameter").isEqualTo((short) 40);
    assertThat(page.getLong(16)).as("LBA").isEqualTo(0x1234_5678_9abcL);
    assertThat(page.getInt(24)).as("namespace").isEqualTo(1);
    assertThat(page.getLong(64)).isEqualTo(1);
    assertThat(page.getShort(72)).isZero();
    assertThat(page.getShort(74)).isEqualTo((short) 0x1111);
    assertThat(page.getLong(128)).as("no third").isZero();
  }

  @Test
  void oldErrorsAreForgottenAndStillCounted() {
    for (int i = 0; i < 100; i++) {
      fail(i, 0x44);
    }
    ByteBuffer page = nvme.run(log(ERRORS, 4096, true)).data();
    assertThat(page.getLong(0)).isEqualTo(100);
    assertThat(page.getLong(63 * 64)).isEqualTo(37);
    assertThat(nvme.run(log(SMART, 512, true)).data().getLong(176)).isEqualTo(100);
  }

  @Test
  void healthIsGood() {
    nvme.nanos += Duration.ofMinutes(119).toNanos();
    nvme.smart.unsafeShutdown();

    ByteBuffer page = nvme.run(log(SMART, 512, false)).data();

    assertThat(page.get(0)).as("critical warning").isZero();
    assertThat((int) page.getShort(1)).as("kelvin").isBetween(293, 333);
    assertThat(page.get(3)).as("spare").isEqualTo((byte) 100);
    assertThat(page.get(5)).as("used").isZero();
    assertThat(page.getLong(112)).as("power cycles").isEqualTo(1);
    assertThat(page.getLong(128)).as("hours").isEqualTo(1);
    assertThat(page.getLong(144)).as("unsafe shutdowns").isEqualTo(1);
    assertThat(page.getLong(160)).as("media errors").isZero();
  }

  @Test
  void failedStorageIsWarnedOfForever() {
    nvme.admin.storageFailed(StorageException.Kind.FULL);
    assertThat(nvme.run(log(SMART, 512, false)).data().get(0)).isZero();

    nvme.admin.storageFailed(StorageException.Kind.WRITE_FAILED);
    assertThat(nvme.run(log(SMART, 512, false)).data().get(0)).isEqualTo((byte) 0b100);
    assertThat(nvme.run(log(SMART, 512, false)).data().get(0)).isEqualTo((byte) 0b100);
  }

  @Test
  void firmwareIsInTheFirstSlot() {
    ByteBuffer page = nvme.run(log(FIRMWARE, 512, false)).data();
    byte[] controller = nvme.run(identify(1, 0)).bytes();

    assertThat(page.get(0)).isEqualTo((byte) 1);
    assertThat(new String(page.array(), 8, 8, StandardCharsets.US_ASCII))
        .isEqualTo(new String(controller, 64, 8, StandardCharsets.US_ASCII));
    assertThat(page.getLong(16)).as("slot 2").isZero();
  }

  @Test
  void noNamespaceChanges() {
    assertThat(nvme.run(log(CHANGED, 4096, false)).bytes()).containsOnly(0);
  }

  /** Linux logs a warning for an effect it would have to freeze queues for. */
  @Test
  void commandsHaveHarmlessEffects() {
    ByteBuffer page = nvme.run(log(EFFECTS, 4096, false)).data();

    assertThat(page.getInt(4 * 0x06)).as("Identify").isEqualTo(1);
    assertThat(page.getInt(4 * 0x7c)).as("Doorbell Buffer Config").isEqualTo(1);
    assertThat(page.getInt(4 * 0x80)).as("Format NVM").isZero();
    assertThat(page.getInt(1024)).as("Flush").isEqualTo(1);
    assertThat(page.getInt(1024 + 4 * 0x01)).as("Write").isEqualTo(3);
    assertThat(page.getInt(1024 + 4 * 0x02)).as("Read").isEqualTo(1);
    assertThat(page.getInt(1024 + 4 * 0x09)).as("Dataset Management").isEqualTo(3);
    assertThat(page.getInt(1024 + 4 * 0x04)).as("Write Uncorrectable").isZero();
  }

  @Test
  void aCommandThatIsOffHasNone() {
    AdminFixture other =
        new AdminFixture(new NvmeConfig(512, 0, 1, DoorbellMode.TRAP, false, "OTHER"));
    ByteBuffer page = other.run(log(EFFECTS, 4096, false)).data();
    assertThat(page.getInt(4 * 0x7c)).as("Doorbell Buffer Config").isZero();
    assertThat(page.getInt(4 * 0x06)).as("Identify").isEqualTo(1);
  }

  @Test
  void aPartOfAPageIsReadFromAnOffset() {
    byte[] whole = nvme.run(log(EFFECTS, 4096, false)).bytes();
    byte[] part = nvme.run(log(EFFECTS, 64, false).qword(12, 1024)).bytes();
    assertThat(part).hasSize(64).isEqualTo(java.util.Arrays.copyOfRange(whole, 1024, 1088));
  }

  @Test
  void beyondTheEndIsNothing() {
    assertThat(nvme.run(log(FIRMWARE, 8192, false)).bytes()).hasSize(8192);
    assertThat(nvme.run(log(FIRMWARE, 16, false).qword(12, 512)).bytes()).containsOnly(0);
    assertThat(nvme.run(log(FIRMWARE, 16, false).qword(12, 516)).status())
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.run(log(FIRMWARE, 16, false).qword(12, -4)).status())
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.run(log(FIRMWARE, 16, false).qword(12, 2)).status())
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.errorLocation()).isEqualTo("dword 12 bit 0");
  }

  @Test
  void noMoreIsReadThanACommandMayTransfer() {
    assertThat(nvme.run(log(SMART, 512 << 10, false)).bytes()).hasSize(512 << 10);
    assertThat(nvme.run(log(SMART, (512 << 10) + 4, false)).status())
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.run(log(SMART, 0, false)).status())
        .as("2^32 dwords")
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
  }

  @ParameterizedTest
  @ValueSource(ints = {0x00, 0x06, 0x07, 0x0d, 0x70, 0x80, 0xff})
  void otherPagesAreRefused(int page) {
    assertThat(nvme.run(log(page, 512, false)).status()).isEqualTo(Status.INVALID_LOG_PAGE);
  }

  @Test
  void aNamespaceHasNoPagesOfItsOwn() {
    SubmissionEntry.Builder ofNamespace = log(SMART, 512, false).namespaceId(1);
    assertThat(nvme.run(ofNamespace).status()).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.run(log(SMART, 512, false).namespaceId(0)).status()).isEqualTo(Status.SUCCESS);
  }
}
