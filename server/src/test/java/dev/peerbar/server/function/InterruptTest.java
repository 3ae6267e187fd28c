package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.driver.Config;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every kind of interrupt of a function that has a pin, as Linux vfio-pci would have it. */
@Tag("polled")
@Timeout(60)
final class InterruptTest {
  private static final int NONE = DeviceSetIrqs.DATA_NONE;
  private static final int BOOL = DeviceSetIrqs.DATA_BOOL;
  private static final int EVENT = DeviceSetIrqs.DATA_EVENTFD;
  private static final int MASK = DeviceSetIrqs.ACTION_MASK;
  private static final int UNMASK = DeviceSetIrqs.ACTION_UNMASK;
  private static final int TRIGGER = DeviceSetIrqs.ACTION_TRIGGER;

  private final PinEndpoint endpoint = new PinEndpoint();
  private final List<FileDescriptor> events = new ArrayList<>();
  @TempDir private Path directory;
  private EndpointServer server;
  private VfioUserClient client;

  @BeforeEach
  void start() throws Exception {
    Path path = directory.resolve("pin.sock");
    server = Serving.start("pin", endpoint, path);
    client = connect(path);
  }

  private static VfioUserClient connect(Path path) throws IOException {
    VfioUserClient client = VfioUserClient.connect(path);
    client.setTimeout(Wire.LIMIT);
    client.negotiate(Wire.capabilities());
    return client;
  }

  @AfterEach
  void stop() {
    client.close();
    server.close();
    events.forEach(FileDescriptor::close);
  }

  private FileDescriptor event() throws IOException {
    FileDescriptor event = EventDescriptor.create();
    events.add(event);
    return event;
  }

  /** INTx with an event descriptor. */
  private FileDescriptor intx() throws IOException {
    FileDescriptor event = event();
    client.setIrqEvents(PciIrq.INTX, 0, event);
    return event;
  }

  private void pin(int level) throws IOException {
    client.writeInt(PinEndpoint.BAR, PinEndpoint.PIN, level);
  }

  private void set(int flags, int index, FileDescriptor... files) throws IOException {
    client.setIrqs(flags, index, 0, 1, (flags & BOOL) != 0 ? new byte[] {1} : new byte[0], files);
  }

  private void refused(Errno errno, int flags, int index, int count, FileDescriptor... files) {
    long open = OpenFiles.count();
    byte[] booleans = new byte[(flags & BOOL) != 0 ? count : 0];
    assertThatThrownBy(() -> client.setIrqs(flags, index, 0, count, booleans, files))
        .isInstanceOfSatisfying(
            RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(errno));
    assertThat(OpenFiles.count()).isEqualTo(open);
  }

  private static long signals(FileDescriptor event) throws IOException {
    return EventDescriptor.read(event);
  }

  private void awaitSignal(FileDescriptor event) throws IOException {
    assertThat(EventDescriptor.await(event, Wire.LIMIT)).isOne();
  }

  private Config config() {
    return new Config(new SocketDevice(client));
  }

  private void command(int value) throws IOException {
    config().word(Header.COMMAND, value);
  }

  private void msixEnable(int control) throws IOException {
    config().word(config().capability(Msix.ID) + Msix.MESSAGE_CONTROL, control);
  }

  private boolean interruptStatus() throws IOException {
    return (config().word(Header.STATUS) & Header.STATUS_INTERRUPT) != 0;
  }

  // The pin.

  @Test
  void thePinIsToldOf() throws Exception {
    DeviceGetIrqInfo.Reply info = client.irqInfo(PciIrq.INTX);
    assertThat(info.count()).isOne();
    assertThat(info.flags())
        .isEqualTo(
            DeviceGetIrqInfo.EVENTFD | DeviceGetIrqInfo.MASKABLE | DeviceGetIrqInfo.AUTOMASKED);
    assertThat(client.irqInfo(PciIrq.MSI).count()).isZero();
    assertThat(client.irqInfo(PciIrq.MSIX).count()).isEqualTo(PinEndpoint.VECTORS);
    assertThat(client.irqInfo(PciIrq.ERROR).count()).isOne();
    assertThat(client.irqInfo(PciIrq.REQUEST).count()).isOne();
  }

  @Test
  void anAssertedPinInterruptsOnceUntilItIsUnmasked() throws Exception {
    FileDescriptor event = intx();
    pin(1);
    assertThat(signals(event)).isOne();
    pin(1);
    pin(0);
    pin(1);
    assertThat(signals(event)).as("masked by the first").isZero();
    set(NONE | UNMASK, PciIrq.INTX);
    assertThat(signals(event)).as("still asserted").isOne();
    pin(0);
    set(NONE | UNMASK, PciIrq.INTX);
    assertThat(signals(event)).as("no more asserted").isZero();
    pin(1);
    assertThat(signals(event)).isOne();
  }

  @Test
  void statusFollowsTheLevelWhateverIsMasked() throws Exception {
    assertThat(interruptStatus()).isFalse();
    pin(1);
    assertThat(interruptStatus()).isTrue();
    command(Header.COMMAND_INTERRUPT_DISABLE);
    assertThat(interruptStatus()).isTrue();
    pin(0);
    assertThat(interruptStatus()).isFalse();
  }

  @Test
  void aPinThatIsAssertedBeforeItIsSetUpInterruptsThen() throws Exception {
    pin(1);
    assertThat(signals(intx())).isOne();
  }

  @ParameterizedTest
  @ValueSource(ints = {NONE, BOOL})
  void maskAndUnmaskByRequest(int data) throws Exception {
    FileDescriptor event = intx();
    set(data | MASK, PciIrq.INTX);
    pin(1);
    assertThat(signals(event)).isZero();
    set(data | UNMASK, PciIrq.INTX);
    assertThat(signals(event)).isOne();
  }

  @Test
  void aFalseBooleanDoesNothing() throws Exception {
    FileDescriptor event = intx();
    client.setIrqs(BOOL | MASK, PciIrq.INTX, 0, 1, new byte[] {0});
    pin(1);
    assertThat(signals(event)).isOne();
    client.setIrqs(BOOL | UNMASK, PciIrq.INTX, 0, 1, new byte[] {0});
    assertThat(signals(event)).isZero();
    client.setIrqs(BOOL | TRIGGER, PciIrq.INTX, 0, 1, new byte[] {0});
    assertThat(signals(event)).isZero();
  }

  @Test
  void anUnmaskEventUnmasksUntilItIsTakenAway() throws Exception {
    FileDescriptor event = intx();
    FileDescriptor unmask = event();
    set(EVENT | UNMASK, PciIrq.INTX, unmask);
    pin(1);
    awaitSignal(event);
    for (int i = 0; i < 3; i++) {
      EventDescriptor.signal(unmask);
      awaitSignal(event);
    }
    long open = OpenFiles.count();
    set(EVENT | UNMASK, PciIrq.INTX);
    assertThat(OpenFiles.count()).isEqualTo(open - 1);
    EventDescriptor.signal(unmask);
    // Served after anything that was ready before it.
    client.readInt(PinEndpoint.BAR, PinEndpoint.PIN);
    assertThat(signals(event)).isZero();
    assertThat(signals(unmask)).as("nobody reads it any more").isOne();
  }

  @Test
  void anUnmaskEventThatWasSignalledBeforeCounts() throws Exception {
    FileDescriptor event = intx();
    pin(1);
    awaitSignal(event);
    FileDescriptor unmask = event();
    EventDescriptor.signal(unmask);
    set(EVENT | UNMASK, PciIrq.INTX, unmask);
    awaitSignal(event);
  }

  @Test
  void aSecondUnmaskEventIsEbusy() throws Exception {
    intx();
    set(EVENT | UNMASK, PciIrq.INTX, event());
    refused(Errno.EBUSY, EVENT | UNMASK, PciIrq.INTX, 1, event());
    set(EVENT | UNMASK, PciIrq.INTX);
    set(EVENT | UNMASK, PciIrq.INTX, event());
  }

  @Test
  void anUnmaskEventThatIsNoneIsEinval() throws Exception {
    intx();
    for (FileDescriptor end : OpenFiles.pipe()) {
      events.add(end);
      refused(Errno.EINVAL, EVENT | UNMASK, PciIrq.INTX, 1, end);
    }
  }

  @Test
  void aBlockingUnmaskEventThatIsEmptyAgainDoesNotStallTheFunction() throws Exception {
    FileDescriptor event = intx();
    FileDescriptor unmask = event();
    OpenFiles.makeBlocking(unmask);
    set(EVENT | UNMASK, PciIrq.INTX, unmask);
    pin(1);
    awaitSignal(event);
    for (int i = 0; i < 2000; i++) {
      // Taken back at once, often between the server's look at it and its read.
      EventDescriptor.signal(unmask);
      EventDescriptor.read(unmask);
    }
    pin(0);
    assertThat(client.readInt(PinEndpoint.BAR, PinEndpoint.PIN)).isZero();
  }

  @Test
  void maskingByAnEventIsEnotty() throws Exception {
    intx();
    refused(Errno.ENOTTY, EVENT | MASK, PciIrq.INTX, 1, event());
    refused(Errno.ENOTTY, EVENT | MASK, PciIrq.INTX, 1);
  }

  @ParameterizedTest
  @ValueSource(ints = {MASK, UNMASK})
  void maskingAPinThatIsNotInUseIsEinval(int action) throws Exception {
    refused(Errno.EINVAL, NONE | action, PciIrq.INTX, 1);
    refused(Errno.EINVAL, BOOL | action, PciIrq.INTX, 1);
    refused(Errno.EINVAL, EVENT | action, PciIrq.INTX, 1, event());
    intx();
    refused(Errno.EINVAL, NONE | action, PciIrq.INTX, 0);
    refused(Errno.EINVAL, NONE | action, PciIrq.INTX, 2);
  }

  @Test
  void interruptDisableHoldsThePinBack() throws Exception {
    FileDescriptor event = intx();
    command(Header.COMMAND_INTERRUPT_DISABLE);
    pin(1);
    set(NONE | TRIGGER, PciIrq.INTX);
    assertThat(signals(event)).isZero();
    command(0);
    assertThat(signals(event)).isOne();
  }

  @Test
  void aFunctionWithMsixEnabledDoesNotUseItsPin() throws Exception {
    FileDescriptor event = intx();
    msixEnable(Msix.ENABLE);
    pin(1);
    assertThat(signals(event)).isZero();
    msixEnable(0);
    assertThat(signals(event)).isOne();
  }

  @Test
  void theClientCanTriggerThePin() throws Exception {
    FileDescriptor event = intx();
    set(NONE | TRIGGER, PciIrq.INTX);
    set(BOOL | TRIGGER, PciIrq.INTX);
    assertThat(signals(event)).as("not masked by it").isEqualTo(2);
  }

  @Test
  void aPinWithoutAnEventWaitsForOne() throws Exception {
    FileDescriptor event = intx();
    client.setIrqs(EVENT | TRIGGER, PciIrq.INTX, 0, 1, new byte[0]);
    pin(1);
    set(NONE | TRIGGER, PciIrq.INTX);
    client.setIrqEvents(PciIrq.INTX, 0, event);
    assertThat(signals(event)).isOne();
  }

  @Test
  void disablingForgetsMaskAndUnmaskEvent() throws Exception {
    FileDescriptor event = event();
    FileDescriptor unmask = event();
    long open = OpenFiles.count();
    for (int i = 0; i < 3; i++) {
      client.setIrqEvents(PciIrq.INTX, 0, event);
      set(EVENT | UNMASK, PciIrq.INTX, unmask);
      set(NONE | MASK, PciIrq.INTX);
      assertThat(OpenFiles.count()).isEqualTo(open + 2);
      client.disableIrqs(PciIrq.INTX);
      assertThat(OpenFiles.count()).isEqualTo(open);
    }
    client.setIrqEvents(PciIrq.INTX, 0, event);
    pin(1);
    assertThat(signals(event)).isOne();
  }

  @Test
  void aResetDeassertsThePinAndKeepsTheEvent() throws Exception {
    FileDescriptor event = intx();
    pin(1);
    assertThat(signals(event)).isOne();
    client.reset();
    assertThat(interruptStatus()).isFalse();
    set(NONE | UNMASK, PciIrq.INTX);
    assertThat(signals(event)).isZero();
    pin(1);
    assertThat(signals(event)).isOne();
  }

  @Test
  void theNextClientFindsNothingOfTheLast() throws Exception {
    FileDescriptor event = event();
    FileDescriptor unmask = event();
    pin(0);
    long open = OpenFiles.count();
    client.setIrqEvents(PciIrq.INTX, 0, event);
    set(EVENT | UNMASK, PciIrq.INTX, unmask);
    pin(1);
    client.close();
    Wire.await("the descriptors to be closed", () -> OpenFiles.count() == open - 2);
    client = connect(directory.resolve("pin.sock"));
    assertThat(interruptStatus()).as("the device's state stays").isTrue();
    assertThat(signals(intx())).as("not masked").isOne();
  }

  // One of INTx and MSI-X.

  @Test
  void msixWhileThePinIsInUseIsEinvalAndTheOtherWayRound() throws Exception {
    FileDescriptor event = intx();
    refused(Errno.EINVAL, EVENT | TRIGGER, PciIrq.MSIX, 1, event());
    refused(Errno.EINVAL, NONE | TRIGGER, PciIrq.MSIX, 1);
    client.disableIrqs(PciIrq.MSIX);
    pin(1);
    assertThat(signals(event)).as("untouched by that").isOne();
    client.disableIrqs(PciIrq.INTX);
    client.setIrqEvents(PciIrq.MSIX, 1, event);
    refused(Errno.EINVAL, EVENT | TRIGGER, PciIrq.INTX, 1, event());
    client.disableIrqs(PciIrq.MSIX);
    client.setIrqEvents(PciIrq.INTX, 0, event);
  }

  @Test
  void triggeringWhatIsNotInUseIsEinval() throws Exception {
    for (int index : new int[] {PciIrq.INTX, PciIrq.MSIX}) {
      refused(Errno.EINVAL, NONE | TRIGGER, index, 1);
      refused(Errno.EINVAL, BOOL | TRIGGER, index, 1);
      client.disableIrqs(index);
    }
  }

  @Test
  void vectorsAreSetUpAndTakenAwayInAnyRange() throws Exception {
    FileDescriptor first = event();
    FileDescriptor second = event();
    command(Header.COMMAND_BUS_MASTER);
    msixEnable(Msix.ENABLE);
    // As QEMU begins: nothing yet but the use.
    client.setIrqs(EVENT | TRIGGER, PciIrq.MSIX, 0, 1, new byte[0]);
    client.setIrqEvents(PciIrq.MSIX, 1, second);
    client.setIrqEvents(PciIrq.MSIX, 0, first);
    client.writeInt(PinEndpoint.BAR, PinEndpoint.RAISE, 1);
    assertThat(signals(second)).isOne();
    client.setIrqs(EVENT | TRIGGER, PciIrq.MSIX, 0, 2, new byte[0]);
    client.writeInt(PinEndpoint.BAR, PinEndpoint.RAISE, 0);
    client.setIrqs(NONE | TRIGGER, PciIrq.MSIX, 0, 2, new byte[0]);
    assertThat(signals(first) + signals(second)).isZero();
    client.setIrqEvents(PciIrq.MSIX, 0, first);
    assertThat(signals(first)).as("what was pending").isOne();
  }

  private interface Switch {
    void turn(boolean on) throws IOException;
  }

  @Test
  void whatAnEngineRaisesIsHeldBackAsSoonAsTheClientHasItsReply() throws Exception {
    FileDescriptor event = event();
    command(Header.COMMAND_BUS_MASTER);
    msixEnable(Msix.ENABLE);
    client.setIrqEvents(PciIrq.MSIX, 1, event);
    List<Switch> switches =
        List.of(
            on -> msixEnable(on ? Msix.ENABLE : Msix.ENABLE | Msix.FUNCTION_MASK),
            on -> msixEnable(on ? Msix.ENABLE : 0),
            on -> command(on ? Header.COMMAND_BUS_MASTER : 0),
            on -> {
              if (on) {
                client.setIrqEvents(PciIrq.MSIX, 1, event);
              } else {
                client.setIrqs(NONE | TRIGGER, PciIrq.MSIX, 0, 0, new byte[0]);
              }
            });
    client.writeInt(PinEndpoint.BAR, PinEndpoint.STORM, 1);
    for (int round = 0; round < 100; round++) {
      Switch each = switches.get(round % switches.size());
      assertThat(EventDescriptor.await(event, Wire.LIMIT)).as("round %d", round).isPositive();
      each.turn(false);
      signals(event);
      pin(0);
      assertThat(signals(event)).as("round %d, after the reply", round).isZero();
      each.turn(true);
    }
    client.reset();
    signals(event);
    pin(0);
    assertThat(signals(event)).as("after a reset").isZero();
  }

  // Errors and requests.

  @ParameterizedTest
  @ValueSource(ints = {PciIrq.ERROR, PciIrq.REQUEST})
  void errorsAndRequests(int index) throws Exception {
    refused(Errno.EINVAL, NONE | TRIGGER, index, 1);
    set(BOOL | TRIGGER, index);
    refused(Errno.EINVAL, EVENT | TRIGGER, index, 0);
    refused(Errno.EINVAL, BOOL | TRIGGER, index, 0);
    FileDescriptor event = event();
    client.setIrqEvents(index, 0, event);
    set(NONE | TRIGGER, index);
    set(BOOL | TRIGGER, index);
    client.setIrqs(BOOL | TRIGGER, index, 0, 1, new byte[] {0});
    assertThat(signals(event)).isEqualTo(2);
    FileDescriptor other = event();
    client.setIrqEvents(index, 0, other);
    set(NONE | TRIGGER, index);
    assertThat(signals(event)).isZero();
    assertThat(signals(other)).isOne();
    client.setIrqs(EVENT | TRIGGER, index, 0, 1, new byte[0]);
    refused(Errno.EINVAL, NONE | TRIGGER, index, 1);
    client.disableIrqs(index);
    refused(Errno.ENOTTY, NONE | MASK, index, 1);
    refused(Errno.ENOTTY, NONE | UNMASK, index, 1);
  }

  @Test
  void errorsAndRequestsDoNotKeepThePinFromUse() throws Exception {
    client.setIrqEvents(PciIrq.ERROR, 0, event());
    client.setIrqEvents(PciIrq.REQUEST, 0, event());
    pin(1);
    assertThat(signals(intx())).isOne();
  }

  // A client that wants the function to wait for it.

  @Test
  void aFullCounterThatWaitsDoesNotStallTheFunction() throws Exception {
    FileDescriptor event = event();
    OpenFiles.makeBlocking(event);
    byte[] full = new byte[Long.BYTES];
    Arrays.fill(full, (byte) 0xff);
    full[0] = (byte) 0xfe;
    OpenFiles.write(event, full);
    client.setIrqEvents(PciIrq.INTX, 0, event);
    for (int i = 0; i < 10; i++) {
      set(NONE | TRIGGER, PciIrq.INTX);
      pin(1);
      set(NONE | UNMASK, PciIrq.INTX);
    }
    assertThat(client.readInt(PinEndpoint.BAR, PinEndpoint.PIN)).isOne();
  }
}
