package dev.peerbar.devices.gpu;

import static dev.peerbar.devices.gpu.GpuFixture.RAM;
import static dev.peerbar.devices.gpu.GpuFixture.command;
import static dev.peerbar.devices.gpu.GpuFixture.createBlob;
import static dev.peerbar.devices.gpu.GpuFixture.detach;
import static dev.peerbar.devices.gpu.GpuFixture.flush;
import static dev.peerbar.devices.gpu.GpuFixture.moveCursor;
import static dev.peerbar.devices.gpu.GpuFixture.setScanoutBlob;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.pci.ResetKind;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Fences, and answers that are late. */
class GpuAnswersTest {
  private static final Duration LATE = Duration.ofMillis(500);
  private static final int ID = 7;

  private final GpuFixture gpu = new GpuFixture(GpuConfig.DEFAULT);

  private void blob() {
    gpu.ok(createBlob(ID, 1 << 16, RAM, 1 << 16));
    gpu.ok(setScanoutBlob(0, ID, 32, 32, Format.B8G8R8X8_UNORM, 128, 0));
    gpu.ok(flush(ID, 0, 0, 32, 32));
    gpu.completed.clear();
  }

  private GpuFixture.Command info() {
    return command(CommandType.GET_DISPLAY_INFO);
  }

  private void pass(Duration time) {
    gpu.host.advance(time);
    gpu.host.settle();
  }

  @Test
  void aFenceIsToldAgain() {
    GpuFixture.Command fenced =
        info().word(4, 0xffff_ffff).doubleWord(8, 0x1122_3344_5566_7788L).word(16, 9).word(20, 63);
    FakeRequest request = gpu.send(fenced);
    assertThat(request.word(4)).isEqualTo(3);
    assertThat(request.response().getLong(8)).isEqualTo(0x1122_3344_5566_7788L);
    assertThat(request.word(16)).isEqualTo(9);
    assertThat(request.word(20)).isEqualTo(63);
  }

  @Test
  void anErrorTellsItsFenceToo() {
    FakeRequest request = gpu.send(detach(99).fence(5));
    assertThat(request.type()).isEqualTo(ResponseType.ERR_INVALID_RESOURCE_ID.code());
    assertThat(request.word(4)).isEqualTo(1);
    assertThat(request.response().getLong(8)).isEqualTo(5);
  }

  @Test
  void withoutAFenceThereIsNothingToTell() {
    FakeRequest request = gpu.send(info().word(4, 2).doubleWord(8, 5).word(16, 9).word(20, 1));
    assertThat(request.word(4)).isZero();
    assertThat(request.response().getLong(8)).isZero();
    assertThat(request.word(16)).isZero();
    assertThat(request.word(20)).isZero();
  }

  @Test
  void aDetachThatIsAnsweredLateIsDoneAtOnce() {
    blob();
    gpu.device.answerDelays().delay(CommandType.RESOURCE_DETACH_BACKING, LATE);
    AtomicInteger read = new AtomicInteger();
    FakeRequest detach = gpu.send(detach(ID).fence(1));
    // What comes behind it does not have it begin again.
    pass(Duration.ofMillis(200));
    gpu.host.beforeTransfer(read::incrementAndGet);
    FakeRequest flush = gpu.send(flush(ID, 0, 0, 32, 32).fence(2));
    FakeRequest info = gpu.send(info());
    assertThat(gpu.completed).isEmpty();
    pass(Duration.ofMillis(300).minusNanos(1));
    assertThat(gpu.completed).isEmpty();
    pass(Duration.ofNanos(1));
    assertThat(gpu.completed).containsExactly(detach, flush, info);
    assertThat(detach.type()).isEqualTo(ResponseType.OK_NODATA.code());
    assertThat(flush.type()).isEqualTo(ResponseType.ERR_UNSPEC.code());
    assertThat(read).hasValue(0);
    assertThat(gpu.host.timersArmed()).isZero();
  }

  @Test
  void theTimeOfAnAnswerBeginsWhenAllBeforeAreGiven() {
    blob();
    gpu.device.answerDelays().delay(CommandType.RESOURCE_FLUSH, LATE);
    FakeRequest first = gpu.send(flush(ID, 0, 0, 1, 1));
    FakeRequest second = gpu.send(flush(ID, 0, 0, 1, 1));
    gpu.device.answerDelays().clear();
    FakeRequest third = gpu.send(flush(ID, 0, 0, 1, 1));
    pass(LATE);
    assertThat(gpu.completed).containsExactly(first);
    pass(LATE);
    assertThat(gpu.completed).containsExactly(first, second, third);
  }

  @Test
  void cursorsDoNotWaitForTheControlQueue() {
    gpu.device.answerDelays().delay(CommandType.GET_DISPLAY_INFO, AnswerDelays.NEVER);
    gpu.send(info());
    FakeRequest cursor = gpu.send(moveCursor(0, 1, 1));
    assertThat(cursor.done()).isTrue();
    gpu.device.answerDelays().delay(CommandType.MOVE_CURSOR, LATE);
    cursor = gpu.send(moveCursor(0, 1, 1));
    assertThat(cursor.done()).isFalse();
    pass(LATE);
    assertThat(cursor.done()).isTrue();
  }

  @Test
  void whatIsNeverAnsweredHoldsBackTheRestUntilAReset() {
    blob();
    gpu.device.answerDelays().delay(CommandType.RESOURCE_DETACH_BACKING, AnswerDelays.NEVER);
    gpu.send(detach(ID));
    gpu.device.answerDelays().clear();
    FakeRequest info = gpu.send(info());
    assertThat(gpu.host.timersArmed()).isZero();
    pass(Duration.ofDays(1));
    assertThat(gpu.completed).isEmpty();
    gpu.host.reset(ResetKind.FUNCTION_LEVEL);
    gpu.device.driverReady(GpuFixture.ALL);
    assertThat(gpu.send(info()).done()).isTrue();
    pass(Duration.ofDays(1));
    assertThat(info.done()).isFalse();
  }

  @Test
  void aResetForgetsWhatIsLate() {
    gpu.device.answerDelays().delay(CommandType.GET_DISPLAY_INFO, LATE);
    FakeRequest before = gpu.send(info());
    // By the device's status, which does not end what the function has armed.
    gpu.device.reset();
    gpu.device.driverReady(GpuFixture.ALL);
    pass(Duration.ofMillis(300));
    FakeRequest after = gpu.send(info());
    pass(Duration.ofMillis(300));
    assertThat(after.done()).isFalse();
    pass(Duration.ofMillis(200));
    assertThat(gpu.completed).containsExactly(after);
    assertThat(before.done()).isFalse();
  }

  /** Resources and the other queue stay as they are. */
  @Test
  void aResetOfAQueueForgetsWhatIsLateThere() {
    blob();
    gpu.device.answerDelays().delay(CommandType.RESOURCE_FLUSH, LATE);
    gpu.device.answerDelays().delay(CommandType.MOVE_CURSOR, LATE);
    FakeRequest flush = gpu.send(flush(ID, 0, 0, 1, 1));
    FakeRequest cursor = gpu.send(moveCursor(0, 1, 1));
    gpu.device.queueReset(GpuDevice.CONTROL_QUEUE);
    assertThat(gpu.host.timersArmed()).isEqualTo(1);
    FakeRequest detach = gpu.send(detach(ID));
    assertThat(gpu.completed).containsExactly(detach);
    assertThat(detach.type()).isEqualTo(ResponseType.OK_NODATA.code());
    pass(LATE);
    assertThat(gpu.completed).containsExactly(detach, cursor);
    assertThat(flush.done()).isFalse();
  }

  /** By the device's status again: nobody else cancels it. */
  @Test
  void aResetCancelsWhatIsArmed() {
    gpu.device.answerDelays().delay(CommandType.GET_DISPLAY_INFO, LATE);
    gpu.send(info());
    assertThat(gpu.host.timersArmed()).isEqualTo(1);
    gpu.device.reset();
    assertThat(gpu.host.timersArmed()).isZero();
  }

  /** The time has passed, but the engine has not come to it yet. */
  @Test
  void aResetForgetsWhatIsAboutToBeAnswered() {
    gpu.device.answerDelays().delay(CommandType.GET_DISPLAY_INFO, LATE);
    gpu.send(info());
    gpu.host.advance(LATE);
    assertThat(gpu.host.jobsWaiting()).isEqualTo(1);
    gpu.device.reset();
    gpu.host.settle();
    assertThat(gpu.completed).isEmpty();
  }

  @Test
  void noAnswerIsLateByNothing() {
    assertThatThrownBy(() -> gpu.device.answerDelays().delay(CommandType.GET_EDID, Duration.ZERO))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
