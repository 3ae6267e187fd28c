package dev.peerbar.devices.nvme.admin;

import static dev.peerbar.devices.nvme.admin.AdminFixture.log;
import static dev.peerbar.devices.nvme.admin.AdminFixture.setFeatures;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.devices.nvme.queue.RingResult;
import dev.peerbar.storage.StorageException;
import org.junit.jupiter.api.Test;

final class AsyncEventsTest {
  private static final int TEMPERATURE = 0x04;
  private static final int EVENTS = 0x0b;

  private static final int INVALID_REGISTER = 0x01_00_00;
  private static final int INVALID_VALUE = 0x01_01_00;
  private static final int RELIABILITY = 0x02_00_01;
  private static final int TOO_HOT = 0x02_01_01;

  private final AdminFixture nvme = new AdminFixture();

  private AdminFixture.Answer request(int commandId) {
    return nvme.run(
        SubmissionEntry.builder(AdminOpcode.ASYNCHRONOUS_EVENT_REQUEST).commandId(commandId));
  }

  private AdminFixture.Answer abort(int commandId) {
    return nvme.run(SubmissionEntry.builder(AdminOpcode.ABORT).dword(10, commandId << 16));
  }

  @Test
  void aRequestWaitsForAnEvent() {
    AdminFixture.Answer request = request(1);
    assertThat(request.waits()).isTrue();

    nvme.admin.doorbellFailed(RingResult.NO_SUCH_QUEUE);

    assertThat(request.dword0()).isEqualTo(INVALID_REGISTER);
    assertThat(nvme.newestError().getLong(0)).isEqualTo(1);
    assertThat(nvme.newestError().getShort(8)).as("of no queue").isEqualTo((short) -1);
  }

  @Test
  void anEventWaitsForARequest() {
    nvme.admin.doorbellFailed(RingResult.INVALID_VALUE);
    assertThat(request(1).dword0()).isEqualTo(INVALID_VALUE);
  }

  @Test
  void oneEventOfATypeUntilTheLogIsRead() {
    AdminFixture.Answer first = request(1);
    AdminFixture.Answer second = request(2);
    nvme.admin.doorbellFailed(RingResult.NO_SUCH_QUEUE);
    nvme.admin.doorbellFailed(RingResult.NO_SUCH_QUEUE);
    nvme.admin.doorbellFailed(RingResult.INVALID_VALUE);

    assertThat(first.dword0()).isEqualTo(INVALID_REGISTER);
    assertThat(second.waits()).isTrue();

    nvme.run(log(1, 64, true));
    nvme.run(log(2, 512, false));
    nvme.admin.doorbellFailed(RingResult.NO_SUCH_QUEUE);
    assertThat(second.waits()).as("retained, and another type's page").isTrue();

    nvme.run(log(1, 64, false));
    assertThat(second.waits()).as("the page explained all there was").isTrue();
    nvme.admin.doorbellFailed(RingResult.NO_SUCH_QUEUE);
    assertThat(second.dword0()).isEqualTo(INVALID_REGISTER);
  }

  @Test
  void anotherTypeIsNotMasked() {
    nvme.run(setFeatures(EVENTS, 0b110));
    nvme.admin.doorbellFailed(RingResult.NO_SUCH_QUEUE);
    assertThat(request(1).dword0()).isEqualTo(INVALID_REGISTER);
    AdminFixture.Answer second = request(2);

    nvme.admin.storageFailed(StorageException.Kind.READ_FAILED);

    assertThat(second.dword0()).isEqualTo(RELIABILITY);
  }

  @Test
  void storageFailsOnce() {
    nvme.run(setFeatures(EVENTS, 0b100));
    AdminFixture.Answer first = request(1);
    AdminFixture.Answer second = request(2);

    nvme.admin.storageFailed(StorageException.Kind.FULL);
    assertThat(first.waits()).isTrue();
    nvme.admin.storageFailed(StorageException.Kind.WRITE_FAILED);
    assertThat(first.dword0()).isEqualTo(RELIABILITY);
    nvme.run(log(2, 512, false));
    nvme.admin.storageFailed(StorageException.Kind.WRITE_FAILED);
    assertThat(second.waits()).isTrue();
  }

  @Test
  void aThresholdIsCrossed() {
    AdminFixture.Answer request = request(1);
    nvme.run(setFeatures(TEMPERATURE, 200));
    assertThat(request.waits()).as("the host did not ask for it").isTrue();
    assertThat(nvme.run(log(2, 512, false)).data().get(0)).isEqualTo((byte) 0b10);

    nvme.run(setFeatures(EVENTS, 0b10));
    assertThat(request.dword0()).isEqualTo(TOO_HOT);
    nvme.run(log(2, 512, false));

    AdminFixture.Answer next = request(2);
    nvme.run(setFeatures(TEMPERATURE, 201));
    assertThat(next.waits()).as("crossed already").isTrue();
    nvme.run(setFeatures(TEMPERATURE, 400));
    assertThat(nvme.run(log(2, 512, false)).data().get(0)).isZero();
    nvme.run(setFeatures(TEMPERATURE, 1 << 20 | 400));
    assertThat(next.dword0()).isEqualTo(TOO_HOT);
  }

  @Test
  void noMoreRequestsWaitThanTheLimit() {
    for (int id = 0; id < 4; id++) {
      assertThat(request(id).waits()).isTrue();
    }
    assertThat(request(4).status()).isEqualTo(Status.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED);
    nvme.admin.doorbellFailed(RingResult.NO_SUCH_QUEUE);
    assertThat(request(5).waits()).isTrue();
  }

  @Test
  void aRequestIsAborted() {
    AdminFixture.Answer first = request(1);
    AdminFixture.Answer second = request(2);

    assertThat(abort(1).dword0()).isZero();
    assertThat(first.status()).isEqualTo(Status.COMMAND_ABORT_REQUESTED);
    assertThat(abort(1).dword0()).as("not there any more").isEqualTo(1);

    nvme.admin.doorbellFailed(RingResult.NO_SUCH_QUEUE);
    assertThat(second.dword0()).isEqualTo(INVALID_REGISTER);
  }

  @Test
  void aNewLifeHasNoEvents() {
    AdminFixture.Answer old = request(1);
    nvme.run(setFeatures(EVENTS, 0b10));
    nvme.run(setFeatures(TEMPERATURE, 200));
    assertThat(old.dword0()).isEqualTo(TOO_HOT);
    AdminCommands next = nvme.generation();

    next.doorbellFailed(RingResult.NO_SUCH_QUEUE);

    assertThat(request(2).waits()).as("that of the old generation").isTrue();
  }
}
