package dev.peerbar.devices.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.pci.ResetKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the device is, its configuration, and sizes that change. */
class GpuConfigurationTest {
  private static final int EVENTS_READ = 0;
  private static final int EVENTS_CLEAR = 4;

  private final GpuFixture gpu = new GpuFixture(new GpuConfig(3, new DisplaySize(1024, 768)));

  @Test
  void theDeviceSaysWhatItIs() {
    var identity = gpu.device.identity();
    assertThat(identity.deviceId()).isEqualTo(16);
    assertThat(identity.classCode()).isEqualTo(0x038000);
    assertThat(identity.features()).isEqualTo(0b1110);
    assertThat(identity.configBytes()).isEqualTo(16);
    assertThat(identity.queues())
        .extracting(queue -> queue.name())
        .containsExactly("control", "cursor");
    assertThat(identity.queues()).extracting(queue -> queue.engine()).containsOnly("gpu");
  }

  @Test
  void theConfigurationIsReadInAnyWidth() {
    assertThat(gpu.device.readConfig(8, 4)).isEqualTo(3);
    assertThat(gpu.device.readConfig(8, 1)).isEqualTo(3);
    assertThat(gpu.device.readConfig(9, 1)).isZero();
    assertThat(gpu.device.readConfig(8, 8)).isEqualTo(3);
    assertThat(gpu.device.readConfig(12, 4)).isZero();
    gpu.device.writeConfig(8, 4, 7);
    assertThat(gpu.device.readConfig(8, 4)).isEqualTo(3);
  }

  @Test
  void aNewSizeIsAnEventUntilItIsCleared() {
    gpu.device.resize(1, new DisplaySize(800, 600));
    assertThat(gpu.configurationChanges).isEqualTo(1);
    assertThat(gpu.device.readConfig(EVENTS_READ, 4)).isEqualTo(1);
    gpu.device.writeConfig(EVENTS_READ, 4, 1);
    gpu.device.writeConfig(EVENTS_CLEAR, 4, 2);
    assertThat(gpu.device.readConfig(EVENTS_READ, 4)).isEqualTo(1);
    gpu.device.writeConfig(EVENTS_CLEAR, 4, 1);
    assertThat(gpu.device.readConfig(EVENTS_READ, 4)).isZero();
  }

  @Test
  void displaysStandSideBySideAndAreOfTheirNewSizes() {
    gpu.device.resize(1, new DisplaySize(800, 600));
    FakeRequest info = gpu.send(GpuFixture.command(CommandType.GET_DISPLAY_INFO));
    assertThat(info.type()).isEqualTo(0x1101);
    assertThat(info.written()).isEqualTo(24 + 16 * 24);
    int[][] expected = {
      {0, 0, 1024, 768, 1, 0}, {1024, 0, 800, 600, 1, 0}, {1824, 0, 1024, 768, 1, 0}, new int[6]
    };
    for (int i = 0; i < expected.length; i++) {
      for (int word = 0; word < 6; word++) {
        assertThat(info.word(24 + i * 24 + word * 4)).isEqualTo(expected[i][word]);
      }
    }
  }

  @Test
  void anEdidIsThatOfTheNewSize() {
    gpu.device.resize(1, new DisplaySize(800, 600));
    FakeRequest edid = gpu.send(GpuFixture.command(CommandType.GET_EDID).word(24, 1));
    assertThat(edid.type()).isEqualTo(0x1104);
    assertThat(edid.written()).isEqualTo(24 + 8 + 1024);
    assertThat(edid.word(24)).isEqualTo(128);
    byte[] block = new byte[128];
    edid.response().get(32, block);
    assertThat(block).isEqualTo(Edid.of(new DisplaySize(800, 600), 1));
    gpu.expect(
        GpuFixture.command(CommandType.GET_EDID).word(24, 3), ResponseType.ERR_INVALID_SCANOUT_ID);
    gpu.expect(
        GpuFixture.command(CommandType.GET_EDID).word(24, -1), ResponseType.ERR_INVALID_SCANOUT_ID);
  }

  @Test
  void aResetForgetsTheEventAndKeepsTheSize() {
    gpu.device.resize(1, new DisplaySize(800, 600));
    gpu.host.reset(ResetKind.FUNCTION_LEVEL);
    assertThat(gpu.device.readConfig(EVENTS_READ, 4)).isZero();
    gpu.device.driverReady(GpuFixture.ALL);
    FakeRequest info = gpu.send(GpuFixture.command(CommandType.GET_DISPLAY_INFO));
    assertThat(info.word(24 + 24 + 8)).isEqualTo(800);
  }

  @Test
  void whatIsOutOfRangeIsSaid() {
    assertThatThrownBy(() -> new GpuConfig(0, new DisplaySize(1024, 768)))
        .hasMessage("A virtio-gpu has 1 to 16 outputs, not 0.");
    assertThatThrownBy(() -> new GpuConfig(17, new DisplaySize(1024, 768)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new DisplaySize(63, 600))
        .hasMessage("An output has 64 to 4095 pixels on either side, not 63x600.");
    assertThatThrownBy(() -> gpu.device.resize(3, new DisplaySize(800, 600)))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> gpu.device.screenshot(3))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void aSizeIsReadAsItIsWritten() {
    assertThat(DisplaySize.parse(" 1920x1080 ")).isEqualTo(new DisplaySize(1920, 1080));
    assertThat(new DisplaySize(1920, 1080)).hasToString("1920x1080");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "1280", "1280x", "x800", "1280X800", "-1x800", "99999999999x1", "8x8"})
  void anythingElseIsNone(String text) {
    assertThatThrownBy(() -> DisplaySize.parse(text)).isInstanceOf(IllegalArgumentException.class);
  }
}
