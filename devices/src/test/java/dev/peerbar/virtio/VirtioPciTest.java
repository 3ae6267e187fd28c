package dev.peerbar.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.driver.Config;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.FakeDevice;
import dev.peerbar.driver.virtio.VirtioDriver;
import dev.peerbar.driver.virtio.Virtqueue;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.pci.ConfigLayout.VendorSpecific;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Registers: structures, features, status, vectors, interrupts, the window in config space. */
class VirtioPciTest {
  private static final int READY =
      VirtioStatus.ACKNOWLEDGE
          | VirtioStatus.DRIVER
          | VirtioStatus.FEATURES_OK
          | VirtioStatus.DRIVER_OK;

  private VirtioFixture fixture;
  private VirtioDriver driver;

  @BeforeEach
  void start() throws IOException {
    fixture = new VirtioFixture();
    driver = fixture.driver;
  }

  private int word(int offset) throws IOException {
    return (int) driver.common(offset, AccessWidth.WORD);
  }

  private void word(int offset, int value) throws IOException {
    driver.common(offset, AccessWidth.WORD, value);
  }

  @Test
  void aFunctionSaysWhatItIs() throws IOException {
    assertThat(fixture.device.readConfig(Header.VENDOR_ID, AccessWidth.DWORD))
        .isEqualTo(0x106a_1af4L);
    assertThat(fixture.device.readConfig(Header.REVISION_ID, AccessWidth.DWORD))
        .isEqualTo(0xff00_0001L);
    // No driver of a transitional device has an ID as high (4.1.2.1).
    assertThat(fixture.device.readConfig(Header.SUBSYSTEM_VENDOR_ID, AccessWidth.DWORD))
        .isEqualTo(0x106a_1af4L);
    assertThat(fixture.device.readConfig(Header.INTERRUPT_PIN, AccessWidth.BYTE)).isEqualTo(1);
    assertThat(driver.config().msixVectors()).isEqualTo(4);
  }

  @Test
  void everyStructureHasACapabilityAndIsInTheBar() throws IOException {
    long end = 0;
    for (VirtioStructure structure : VirtioStructure.values()) {
      if (structure != VirtioStructure.PCI) {
        VirtioDriver.Place place = driver.place(structure);
        assertThat(place.bar()).isZero();
        assertThat(place.offset() % 4).isZero();
        assertThat(place.length()).isPositive();
        assertThat(place.offset() + place.length()).isLessThanOrEqualTo(VirtioPci.BAR_BYTES);
        end = Math.max(end, place.offset() + place.length());
      }
    }
    assertThat(end).isEqualTo(0x3000 + 3 * 4);
    assertThat(driver.config().findAll(VendorSpecific.ID)).hasSize(5);
    assertThat(driver.place(VirtioStructure.COMMON).length()).isEqualTo(64);
    assertThat(driver.place(VirtioStructure.DEVICE).length())
        .isEqualTo(ShoutingDevice.CONFIG_BYTES);
  }

  @Test
  void aNotificationMayComeByAnEventDescriptor() {
    Bar.Registers bar =
        (Bar.Registers) fixture.device.host().endpoint().function().bar(0).orElseThrow();
    assertThat(bar.events())
        .containsExactly(
            new Bar.IoEventFd(0x3000, AccessWidth.WORD, 0),
            new Bar.IoEventFd(0x3004, AccessWidth.WORD, 1),
            new Bar.IoEventFd(0x3008, AccessWidth.WORD, 2));
  }

  @Test
  void featuresAreShownThroughAWindow() throws IOException {
    assertThat(driver.offered()).isEqualTo(VirtioFeature.TRANSPORT | ShoutingDevice.FEATURE);
    for (long select : new long[] {2, 3, 0x8000_0000L, 0xffff_ffffL}) {
      driver.common(VirtioPci.DEVICE_FEATURE_SELECT, AccessWidth.DWORD, select);
      driver.common(VirtioPci.DRIVER_FEATURE_SELECT, AccessWidth.DWORD, select);
      driver.common(VirtioPci.DRIVER_FEATURE, AccessWidth.DWORD, -1);
      assertThat(driver.common(VirtioPci.DEVICE_FEATURE, AccessWidth.DWORD)).isZero();
      assertThat(driver.common(VirtioPci.DRIVER_FEATURE, AccessWidth.DWORD)).isZero();
    }
    driver.wants(0x1234_5678_9abc_def0L);
    assertThat(driver.common(VirtioPci.DRIVER_FEATURE, AccessWidth.DWORD)).isEqualTo(0x1234_5678L);
    driver.common(VirtioPci.DRIVER_FEATURE_SELECT, AccessWidth.DWORD, 0);
    assertThat(driver.common(VirtioPci.DRIVER_FEATURE, AccessWidth.DWORD)).isEqualTo(0x9abc_def0L);
  }

  @Test
  void aDriverGoesThroughTheStatesAndTheDeviceIsTold() throws IOException {
    assertThat(driver.status()).isZero();
    driver.negotiate(ShoutingDevice.FEATURE | VirtioFeature.RING_RESET);
    assertThat(driver.status())
        .isEqualTo(VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FEATURES_OK);
    fixture.shouting.journal.clear();
    driver.ready();
    assertThat(driver.status()).isEqualTo(READY);
    // Said once, however often it is written.
    driver.ready();
    assertThat(fixture.shouting.journal).containsExactly("ready 0x10300000020");
    driver.resetDevice();
    assertThat(driver.status()).isZero();
    assertThat(fixture.shouting.journal).containsExactly("ready 0x10300000020", "reset");
  }

  @ParameterizedTest
  @CsvSource({
    "0x300000000, true",
    "0x300000020, true",
    // Not offered: bit 6, packed rings, those beyond.
    "0x300000040, false",
    "0x700000000, false",
    "0x8000000300000000, false",
    // Without what is needed.
    "0x100000000, false",
    "0x200000000, false",
    "0, false",
  })
  void featuresHaveToBeThoseThatCanBeServed(String features, boolean agreed) throws IOException {
    driver.status(VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER);
    driver.wants(Long.parseUnsignedLong(features.replace("0x", ""), 16));
    driver.status(VirtioStatus.FEATURES_OK);
    assertThat((driver.status() & VirtioStatus.FEATURES_OK) != 0).isEqualTo(agreed);
    driver.status(VirtioStatus.DRIVER_OK);
    assertThat((driver.status() & VirtioStatus.DRIVER_OK) != 0).isEqualTo(agreed);
  }

  @Test
  void bitsOfTheStatusStayAndTheDevicesOwnIsNotTheDrivers() throws IOException {
    driver.common(VirtioPci.DEVICE_STATUS, AccessWidth.BYTE, VirtioStatus.ACKNOWLEDGE | 0x70);
    driver.common(VirtioPci.DEVICE_STATUS, AccessWidth.BYTE, VirtioStatus.DRIVER);
    driver.common(VirtioPci.DEVICE_STATUS, AccessWidth.BYTE, VirtioStatus.FAILED);
    assertThat(driver.status())
        .isEqualTo(VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FAILED);
  }

  @Test
  void featuresDoNotChangeOnceTheyAreAgreedOn() throws IOException {
    driver.negotiate(ShoutingDevice.FEATURE);
    driver.wants(-1);
    assertThat(driver.common(VirtioPci.DRIVER_FEATURE, AccessWidth.DWORD)).isEqualTo(3);
  }

  @Test
  void aQueueHasItsFields() throws IOException {
    assertThat(driver.queues()).isEqualTo(3);
    assertThat(driver.queueSize(0)).isEqualTo(16);
    assertThat(driver.queueSize(1)).isEqualTo(8);
    assertThat(word(VirtioPci.QUEUE_NOTIFY_OFF)).isEqualTo(1);
    assertThat(word(VirtioPci.QUEUE_ENABLE)).isZero();
    word(VirtioPci.QUEUE_SIZE, 4);
    assertThat(word(VirtioPci.QUEUE_SIZE)).isEqualTo(4);
    for (int impossible : new int[] {0, 3, 6, 16, 0x8000, 0xffff}) {
      word(VirtioPci.QUEUE_SIZE, impossible);
      assertThat(word(VirtioPci.QUEUE_SIZE)).isEqualTo(4);
    }
    // 64 bits by their halves, and at once.
    driver.common(VirtioPci.QUEUE_DESC, AccessWidth.DWORD, 0x1000);
    driver.common(VirtioPci.QUEUE_DESC + 4, AccessWidth.DWORD, 0x2);
    assertThat(driver.common(VirtioPci.QUEUE_DESC, AccessWidth.QWORD)).isEqualTo(0x2_0000_1000L);
    driver.common(VirtioPci.QUEUE_DRIVER, AccessWidth.QWORD, 0x3_0000_2000L);
    assertThat(driver.common(VirtioPci.QUEUE_DRIVER + 4, AccessWidth.DWORD)).isEqualTo(3);
    // Not a queue's alone.
    driver.select(0);
    assertThat(driver.common(VirtioPci.QUEUE_DESC, AccessWidth.QWORD)).isZero();
    word(VirtioPci.QUEUE_ENABLE, 0);
    assertThat(word(VirtioPci.QUEUE_ENABLE)).isZero();
    word(VirtioPci.QUEUE_ENABLE, 1);
    assertThat(word(VirtioPci.QUEUE_ENABLE)).isEqualTo(1);
    // An enabled one stays as it is.
    driver.common(VirtioPci.QUEUE_DESC, AccessWidth.QWORD, 0x1000);
    word(VirtioPci.QUEUE_SIZE, 4);
    word(VirtioPci.QUEUE_ENABLE, 0);
    assertThat(driver.common(VirtioPci.QUEUE_DESC, AccessWidth.QWORD)).isZero();
    assertThat(word(VirtioPci.QUEUE_SIZE)).isEqualTo(16);
    assertThat(word(VirtioPci.QUEUE_ENABLE)).isEqualTo(1);
    driver.resetDevice();
    driver.select(1);
    assertThat(word(VirtioPci.QUEUE_SIZE)).isEqualTo(8);
    assertThat(driver.common(VirtioPci.QUEUE_DESC, AccessWidth.QWORD)).isZero();
    driver.select(0);
    assertThat(word(VirtioPci.QUEUE_ENABLE)).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 4, 0x7fff, 0xffff})
  void aQueueThatIsNotThereHasNothing(int queue) throws IOException {
    assertThat(driver.queueSize(queue)).isZero();
    word(VirtioPci.QUEUE_SIZE, 8);
    word(VirtioPci.QUEUE_ENABLE, 1);
    word(VirtioPci.QUEUE_RESET, 1);
    word(VirtioPci.QUEUE_MSIX_VECTOR, 1);
    driver.common(VirtioPci.QUEUE_DESC, AccessWidth.QWORD, -1);
    for (int offset = VirtioPci.QUEUE_SIZE; offset < VirtioPci.COMMON_BYTES; offset += 2) {
      assertThat(word(offset)).isZero();
    }
  }

  @Test
  void whatIsNotOfferedReadsZero() throws IOException {
    driver.negotiate(VirtioFeature.TRANSPORT);
    driver.select(2);
    assertThat(word(VirtioPci.QUEUE_NOTIFY_DATA)).isZero();
    assertThat(word(VirtioPci.QUEUE_RESET)).isZero();
    assertThat(word(VirtioPci.ADMIN_QUEUE_INDEX)).isZero();
    assertThat(word(VirtioPci.ADMIN_QUEUE_NUM)).isZero();
  }

  @Test
  void aVectorThatIsNotThereReadsBackAsNone() throws IOException {
    for (int register : new int[] {VirtioPci.CONFIG_MSIX_VECTOR, VirtioPci.QUEUE_MSIX_VECTOR}) {
      assertThat(word(register)).isEqualTo(VirtioPci.NO_VECTOR);
      word(register, 3);
      assertThat(word(register)).isEqualTo(3);
      for (int none : new int[] {4, 0x7ff, 0x8000, VirtioPci.NO_VECTOR}) {
        word(register, 3);
        word(register, none);
        assertThat(word(register)).isEqualTo(VirtioPci.NO_VECTOR);
      }
      word(register, 0);
      driver.resetDevice();
      assertThat(word(register)).isEqualTo(VirtioPci.NO_VECTOR);
    }
  }

  @Test
  void aQueueWithoutAVectorInterruptsNobody() throws IOException {
    driver.negotiate(0);
    Virtqueue queue = driver.queue(0, 16);
    word(VirtioPci.QUEUE_MSIX_VECTOR, VirtioPci.NO_VECTOR);
    driver.ready();
    fixture.expectShout(queue);
    assertThat(fixture.device.host().raised()).isEmpty();
    assertThat(fixture.device.host().journal()).doesNotContain("pin true");
    word(VirtioPci.QUEUE_MSIX_VECTOR, 2);
    fixture.expectShout(queue);
    assertThat(fixture.device.host().raised()).containsExactly(2);
  }

  @Test
  void withoutMsixThePinIsAssertedUntilTheIsrIsRead() throws IOException {
    ShoutingDevice shouting = new ShoutingDevice();
    FakeDevice device = new FakeDevice(new VirtioPciEndpoint(shouting));
    VirtioDriver pinned = new VirtioDriver(device, List.of());
    Config config = pinned.config();
    config.memorySpace(true);
    config.busMaster(true);
    pinned.negotiate(0);
    Virtqueue queue = pinned.queue(1, 8);
    pinned.ready();
    DmaRange ram = device.allocate(4096);
    queue.add(List.of(ram.slice(0, 4)), List.of(ram.slice(8, 4)));
    queue.kick();
    queue.await(VirtioFixture.LIMIT);
    assertThat(pins(device)).containsExactly("pin true");
    assertThat(pinned.isr()).isEqualTo(VirtioPci.ISR_QUEUE);
    assertThat(pins(device)).containsExactly("pin true", "pin false");
    assertThat(pinned.isr()).isZero();
    shouting.host.configurationChanged();
    assertThat(pins(device)).endsWith("pin true");
    assertThat(pinned.isr()).isEqualTo(VirtioPci.ISR_CONFIGURATION);
    shouting.host.configurationChanged();
    pinned.resetDevice();
    assertThat(pins(device)).endsWith("pin true", "pin false");
    assertThat(pinned.isr()).isZero();
    assertThat(device.host().raised()).isEmpty();
  }

  private static List<String> pins(FakeDevice device) {
    return device.host().journal().stream().filter(line -> line.startsWith("pin")).toList();
  }

  @Test
  void theConfigurationIsReadAndWrittenByAnyWidth() throws IOException {
    driver.configuration(0, AccessWidth.DWORD, 0x0403_0201);
    driver.configuration(4, AccessWidth.WORD, 0x0605);
    driver.configuration(6, AccessWidth.BYTE, 0x07);
    assertThat(driver.configuration(0, AccessWidth.QWORD)).isEqualTo(0x0007_0605_0403_0201L);
    assertThat(driver.configuration()).startsWith(1, 2, 3, 4, 5, 6, 7).hasSize(12);
    // 8 bytes at 8 are not all within.
    driver.configuration(8, AccessWidth.QWORD, -1);
    assertThat(driver.configuration(8, AccessWidth.QWORD)).isZero();
    assertThat(driver.configuration(12, AccessWidth.DWORD)).isZero();
    assertThat(fixture.shouting.config.getInt(8)).isZero();
  }

  @Test
  void aChangeOfTheConfigurationIsToldAndChangesTheGeneration() throws IOException {
    fixture.begin(0, 0);
    long generation = driver.common(VirtioPci.CONFIG_GENERATION, AccessWidth.BYTE);
    driver.configuration();
    assertThat(driver.common(VirtioPci.CONFIG_GENERATION, AccessWidth.BYTE)).isEqualTo(generation);
    // However many changes: 256 are not none.
    for (int change = 0; change < 256; change++) {
      fixture.shouting.host.configurationChanged();
    }
    assertThat(fixture.device.host().takeSignals(0)).isEqualTo(256);
    driver.configuration(0, AccessWidth.DWORD);
    assertThat(driver.common(VirtioPci.CONFIG_GENERATION, AccessWidth.BYTE))
        .isNotEqualTo(generation);
    // The bit is set with MSI-X too, the pin stays as it is.
    assertThat(driver.isr()).isEqualTo(VirtioPci.ISR_CONFIGURATION);
    assertThat(fixture.device.host().journal()).doesNotContain("pin true");
  }

  @Test
  void aChangeBeforeTheDriverIsReadyIsToldWhenItIs() throws IOException {
    driver.negotiate(0);
    fixture.shouting.host.configurationChanged();
    assertThat(fixture.device.host().raised()).isEmpty();
    driver.ready();
    assertThat(fixture.device.host().raised()).containsExactly(0);
  }

  @Test
  void theWindowInConfigSpaceAccessesTheBar() throws IOException {
    windowAt(VirtioPci.COMMON + VirtioPci.DEVICE_STATUS, 1);
    assertThat(window(AccessWidth.DWORD)).isZero();
    window(AccessWidth.BYTE, VirtioStatus.ACKNOWLEDGE);
    assertThat(driver.status()).isEqualTo(VirtioStatus.ACKNOWLEDGE);
    assertThat(window(AccessWidth.BYTE)).isEqualTo(VirtioStatus.ACKNOWLEDGE);
    windowAt(VirtioPci.COMMON + VirtioPci.NUM_QUEUES, 2);
    assertThat(window(AccessWidth.WORD)).isEqualTo(3);
    windowAt(VirtioPci.DEVICE, 4);
    window(AccessWidth.DWORD, 0xdead_beefL);
    assertThat(fixture.shouting.config.getInt(0)).isEqualTo(0xdead_beef);
    assertThat(window(AccessWidth.DWORD)).isEqualTo(0xdead_beefL);
    windowAt(VirtioPci.COMMON + VirtioPci.DEVICE_STATUS, 1);
    window(AccessWidth.BYTE, 0);
    assertThat(driver.status()).isZero();
  }

  @Test
  void theWindowNotifies() throws IOException {
    Virtqueue queue = fixture.begin(1, VirtioFeature.EVENT_IDX);
    queue.add(List.of(fixture.ram.slice(0, 4)), List.of(fixture.ram.slice(8, 4)));
    queue.availableIndex(1);
    windowAt(VirtioPci.NOTIFY + 4, 2);
    window(AccessWidth.WORD, 1);
    assertThat(queue.await(VirtioFixture.LIMIT).written()).isEqualTo(4);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0x14, 0",
    "0, 0x14, 3",
    "0, 0x14, 8",
    "0, 0x15, 2",
    "0, 0x4000, 1",
    "0, 0x3fff, 2",
    "0, 0xfffffffc, 4",
    "1, 0x14, 1",
    "2, 0x0, 4",
    "255, 0x14, 1",
    "0, 0x14, 0xffffffff"
  })
  void theWindowShowsNothingWhereThereIsNone(String bar, String offset, String length)
      throws IOException {
    int at = driver.windowAt();
    driver.status(VirtioStatus.ACKNOWLEDGE);
    fixture.device.writeConfig(at + VirtioPci.CAP_BAR, AccessWidth.BYTE, Long.decode(bar));
    fixture.device.writeConfig(at + VirtioPci.CAP_OFFSET, AccessWidth.DWORD, Long.decode(offset));
    fixture.device.writeConfig(at + VirtioPci.CAP_LENGTH, AccessWidth.DWORD, Long.decode(length));
    window(AccessWidth.DWORD, 0);
    assertThat(window(AccessWidth.DWORD)).isZero();
    assertThat(driver.status()).isEqualTo(VirtioStatus.ACKNOWLEDGE);
  }

  private void windowAt(long offset, int length) throws IOException {
    int at = driver.windowAt();
    fixture.device.writeConfig(at + VirtioPci.CAP_BAR, AccessWidth.BYTE, 0);
    fixture.device.writeConfig(at + VirtioPci.CAP_OFFSET, AccessWidth.DWORD, offset);
    fixture.device.writeConfig(at + VirtioPci.CAP_LENGTH, AccessWidth.DWORD, length);
  }

  private long window(AccessWidth width) throws IOException {
    return fixture.device.readConfig(driver.windowAt() + VirtioPci.CAP_PCI_CFG_DATA, width);
  }

  private void window(AccessWidth width, long value) throws IOException {
    fixture.device.writeConfig(driver.windowAt() + VirtioPci.CAP_PCI_CFG_DATA, width, value);
  }

  @Test
  void accessesOfOtherWidthsChangeNothing() throws IOException {
    driver.common(VirtioPci.DEVICE_STATUS, AccessWidth.DWORD, 0xffff_ffffL);
    driver.common(VirtioPci.DEVICE_STATUS, AccessWidth.WORD, 1);
    driver.common(VirtioPci.QUEUE_SIZE, AccessWidth.BYTE, 1);
    driver.common(VirtioPci.QUEUE_SIZE, AccessWidth.QWORD, 1);
    driver.common(VirtioPci.QUEUE_DESC, AccessWidth.WORD, 1);
    assertThat(driver.status()).isZero();
    assertThat(driver.queueSize(0)).isEqualTo(16);
    assertThat(driver.common(VirtioPci.QUEUE_DESC, AccessWidth.QWORD)).isZero();
  }

  @Test
  void aResetOfTheFunctionIsOneOfTheDevice() throws IOException {
    fixture.begin(0, 0);
    fixture.shouting.timer.arm(Duration.ofSeconds(1));
    fixture.device.reset();
    driver.setUp();
    assertThat(driver.status()).isZero();
    assertThat(fixture.shouting.journal).endsWith("reset");
    fixture.expectRecovery();
  }

  @Test
  void aResetOfTheDeviceCancelsItsTimers() throws IOException {
    fixture.begin(0, 0);
    fixture.shouting.timer.arm(Duration.ofSeconds(1));
    driver.resetDevice();
    assertThat(fixture.device.host().timersArmed()).isZero();
  }

  @Test
  void anImpossibleDeviceIsRefused() {
    expectRefusal(0, 0, 8, "A device type over PCI is 1 to 63, not 0.");
    expectRefusal(64, 0, 8, "A device type over PCI is 1 to 63, not 64.");
    expectRefusal(1, VirtioFeature.EVENT_IDX, 8, "Feature bits 24 to 49");
    expectRefusal(1, 0, 3, "The size of a queue is a power of 2 up to 32768, not 3.");
    expectRefusal(1, 0, 1 << 16, "The size of a queue is a power of 2 up to 32768, not 65536.");
  }

  private static void expectRefusal(int type, long features, int size, String sentence) {
    VirtioIdentity identity =
        new VirtioIdentity(
            type, 0, features, 0, List.of(new VirtioIdentity.Queue("queue", size, "engine")));
    ShoutingDevice shouting = new ShoutingDevice(identity);
    assertThatThrownBy(() -> new VirtioPciEndpoint(shouting))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(sentence);
  }
}
