package dev.peerbar.devices.nvme.admin;

import static dev.peerbar.devices.nvme.admin.AdminFixture.getFeatures;
import static dev.peerbar.devices.nvme.admin.AdminFixture.setFeatures;
import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyBoolean;
import static org.mockito.ArgumentMatchers.anyInt;
import static org.mockito.ArgumentMatchers.anyLong;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.when;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.devices.nvme.queue.ArbitrationFeature;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class FeaturesTest {
  private static final int ARBITRATION = 0x01;
  private static final int POWER = 0x02;
  private static final int TEMPERATURE = 0x04;
  private static final int ERROR_RECOVERY = 0x05;
  private static final int WRITE_CACHE = 0x06;
  private static final int QUEUES = 0x07;
  private static final int VECTOR = 0x09;
  private static final int EVENTS = 0x0b;
  private static final int TIMESTAMP = 0x0e;

  private static final int DEFAULT = 1;
  private static final int SAVED = 2;
  private static final int CAPABILITIES = 3;

  private final AdminFixture nvme = new AdminFixture();

  private Status refused(SubmissionEntry.Builder command) {
    return nvme.run(command).status();
  }

  @ParameterizedTest
  @CsvSource({
    // feature, by default, set to, then
    "0x01, 0x00000003, 0x04030201, 0x04030201",
    "0x01, 0x00000003, 0xffffffff, 0xffffff07",
    "0x02, 0x00000000, 0x00000040, 0x00000040",
    "0x04, 0x00000157, 0x00000150, 0x00000150",
    "0x06, 0x00000001, 0x00000000, 0x00000000",
    "0x07, 0x000f000f, 0x00010001, 0x000f000f",
    "0x08, 0x00000000, 0x0000ff07, 0x0000ff07",
    "0x09, 0x00010000, 0x00000000, 0x00000000",
    "0x0a, 0x00000000, 0x00000001, 0x00000001",
    "0x0b, 0x00000000, 0xffffffff, 0x0000011f",
  })
  void whatIsSetIsGotUntilTheNextLife(String feature, String first, String set, String then) {
    int id = Integer.decode(feature);
    assertThat(nvme.feature(id)).isEqualTo((int) (long) Long.decode(first));

    assertThat(nvme.run(setFeatures(id, (int) (long) Long.decode(set))).status())
        .isEqualTo(Status.SUCCESS);

    assertThat(nvme.feature(id)).isEqualTo((int) (long) Long.decode(then));
    for (int select : new int[] {DEFAULT, SAVED}) {
      assertThat(nvme.run(getFeatures(id, select, 0)).dword0())
          .isEqualTo((int) (long) Long.decode(first));
    }
    assertThat(nvme.run(getFeatures(id, CAPABILITIES, 0)).dword0())
        .as("changeable, not saveable, not of a namespace")
        .isEqualTo(0b100);
  }

  @Test
  void arbitrationReachesTheQueues() {
    nvme.run(setFeatures(ARBITRATION, 0x0403_0201));
    verify(nvme.queues).arbitration(new ArbitrationFeature(1, 2, 3, 4));
  }

  @Test
  void writeCacheIsOffUntilTheNextLife() {
    nvme.run(setFeatures(WRITE_CACHE, 0));
    verify(nvme.io).writeCache(false);
    nvme.generation();
    verify(nvme.io, org.mockito.Mockito.times(2)).writeCache(true);
  }

  @Test
  void thereIsOnePowerState() {
    assertThat(refused(setFeatures(POWER, 1))).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.feature(POWER)).isZero();
  }

  @Test
  void errorRecoveryIsOfANamespace() {
    assertThat(nvme.run(getFeatures(ERROR_RECOVERY, CAPABILITIES, 0)).dword0()).isEqualTo(0b110);
    assertThat(nvme.run(setFeatures(ERROR_RECOVERY, 7).namespaceId(1)).status())
        .isEqualTo(Status.SUCCESS);
    assertThat(nvme.run(getFeatures(ERROR_RECOVERY, 0, 0).namespaceId(1)).dword0()).isEqualTo(7);
    assertThat(nvme.run(setFeatures(ERROR_RECOVERY, 8).namespaceId(-1)).status())
        .isEqualTo(Status.SUCCESS);
    assertThat(nvme.run(getFeatures(ERROR_RECOVERY, 0, 0).namespaceId(1)).dword0()).isEqualTo(8);
    for (int nsid : new int[] {0, 2, -1}) {
      assertThat(refused(getFeatures(ERROR_RECOVERY, 0, 0).namespaceId(nsid)))
          .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
    }
    for (int nsid : new int[] {0, 2}) {
      assertThat(refused(setFeatures(ERROR_RECOVERY, 9).namespaceId(nsid)))
          .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
    }
    assertThat(refused(setFeatures(ERROR_RECOVERY, 1 << 16).namespaceId(1)))
        .as("DULBE, which no namespace offers")
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.run(getFeatures(ERROR_RECOVERY, 0, 0).namespaceId(1)).dword0()).isEqualTo(8);
  }

  @Test
  void aFeatureOfTheControllerIsNotSetForANamespace() {
    assertThat(refused(setFeatures(WRITE_CACHE, 0).namespaceId(1)))
        .isEqualTo(Status.FEATURE_NOT_NAMESPACE_SPECIFIC);
    assertThat(refused(setFeatures(WRITE_CACHE, 0).namespaceId(2)))
        .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
    assertThat(nvme.feature(WRITE_CACHE)).isEqualTo(1);
  }

  @Test
  void nothingIsSaved() {
    SubmissionEntry.Builder save =
        SubmissionEntry.builder(AdminOpcode.SET_FEATURES).dword(10, 1 << 31 | WRITE_CACHE);
    assertThat(refused(save)).isEqualTo(Status.FEATURE_IDENTIFIER_NOT_SAVEABLE);
    assertThat(nvme.errorLocation()).isEqualTo("dword 10 bit 31");
    assertThat(nvme.feature(WRITE_CACHE)).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(ints = {0x00, 0x03, 0x0c, 0x0d, 0x0f, 0x10, 0x16, 0x80, 0x81, 0xff})
  void otherFeaturesAreRefused(int feature) {
    assertThat(refused(getFeatures(feature, 0, 0))).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(refused(getFeatures(feature, CAPABILITIES, 0)))
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(refused(setFeatures(feature, 0))).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.errorLocation()).isEqualTo("dword 10 bit 0");
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 7})
  void otherSelectionsAreRefused(int select) {
    assertThat(refused(getFeatures(WRITE_CACHE, select, 0)))
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.errorLocation()).isEqualTo("dword 10 bit 8");
  }

  @Test
  void numberOfQueuesIsSettledOnceThereAreAny() {
    assertThat(nvme.run(setFeatures(QUEUES, 0xfffe_fffe)).dword0()).isEqualTo(0x000f_000f);
    assertThat(refused(setFeatures(QUEUES, 0x0000_ffff)))
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(refused(setFeatures(QUEUES, 0xffff_0000)))
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);

    when(nvme.queues.createCompletionQueue(anyInt(), anyInt(), anyLong(), anyInt(), anyBoolean()))
        .thenReturn(Status.SUCCESS);
    nvme.run(SubmissionEntry.builder(AdminOpcode.CREATE_IO_COMPLETION_QUEUE).dword(11, 1));

    assertThat(refused(setFeatures(QUEUES, 0))).isEqualTo(Status.COMMAND_SEQUENCE_ERROR);
    assertThat(nvme.feature(QUEUES)).isEqualTo(0x000f_000f);
  }

  @Test
  void everyVectorHasAConfiguration() {
    assertThat(nvme.run(getFeatures(VECTOR, 0, 16)).dword0()).isEqualTo(16);
    nvme.run(setFeatures(VECTOR, 1 << 16 | 16));
    assertThat(nvme.run(getFeatures(VECTOR, 0, 16)).dword0()).isEqualTo(1 << 16 | 16);
    assertThat(nvme.run(getFeatures(VECTOR, 0, 15)).dword0()).isEqualTo(15);
    assertThat(refused(getFeatures(VECTOR, 0, 17))).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(refused(setFeatures(VECTOR, 17))).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
  }

  @Test
  void bothTemperatureThresholdsAreKept() {
    int under = 1 << 20;
    int everySensor = 0xf << 16;
    nvme.run(setFeatures(TEMPERATURE, under | 290));
    nvme.run(setFeatures(TEMPERATURE, everySensor | 320));

    assertThat(nvme.run(getFeatures(TEMPERATURE, 0, under)).dword0()).isEqualTo(290);
    assertThat(nvme.run(getFeatures(TEMPERATURE, 0, 0)).dword0()).isEqualTo(320);
    assertThat(nvme.run(getFeatures(TEMPERATURE, DEFAULT, under)).dword0()).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {1 << 16, 8 << 16, 9 << 16, 2 << 20, 3 << 20})
  void otherSensorsAndThresholdsAreRefused(int dword11) {
    assertThat(refused(setFeatures(TEMPERATURE, dword11 | 300)))
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(refused(getFeatures(TEMPERATURE, 0, dword11)))
        .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
  }

  @Test
  void timeGoesOnFromWhatTheHostSays() {
    byte[] data =
        ByteBuffer.allocate(8)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(0xffff_0000_0000_0000L | 1_700_000_000_000L)
            .array();
    nvme.nanos += Duration.ofSeconds(5).toNanos();
    assertThat(nvme.run(getFeatures(TIMESTAMP, 0, 0)).data().getLong())
        .as("since the reset")
        .isEqualTo(5000);

    assertThat(nvme.run(setFeatures(TIMESTAMP, 0), data).status()).isEqualTo(Status.SUCCESS);
    nvme.nanos += Duration.ofMillis(1234).toNanos();

    assertThat(nvme.run(getFeatures(TIMESTAMP, 0, 0)).data().getLong())
        .as("origin 1: the host")
        .isEqualTo(2L << 48 | 1_700_000_001_234L);
    assertThat(nvme.run(getFeatures(TIMESTAMP, DEFAULT, 0)).data().getLong()).isZero();
  }

  @Test
  void eventsAreChosenInBits() {
    // What Linux sets.
    assertThat(nvme.run(setFeatures(EVENTS, 0x100)).status()).isEqualTo(Status.SUCCESS);
    assertThat(nvme.feature(EVENTS)).isEqualTo(0x100);
    verify(nvme.queues, org.mockito.Mockito.never()).arbitration(any());
  }
}
