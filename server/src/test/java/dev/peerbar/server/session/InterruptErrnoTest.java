package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** DEVICE_SET_IRQS: what is refused, with which errno, and what becomes of the descriptors. */
@Timeout(60)
final class InterruptErrnoTest {
  private static final int EVENTS = DeviceSetIrqs.DATA_EVENTFD | DeviceSetIrqs.ACTION_TRIGGER;
  private static final int NONE = DeviceSetIrqs.DATA_NONE | DeviceSetIrqs.ACTION_TRIGGER;
  private static final int BOOL = DeviceSetIrqs.DATA_BOOL | DeviceSetIrqs.ACTION_TRIGGER;

  @TempDir private Path directory;
  private Wire wire;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.connected(directory);
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private FileDescriptor event() throws IOException {
    return wire.own(EventDescriptor.create());
  }

  private FileDescriptor[] events(int count) throws IOException {
    FileDescriptor[] events = new FileDescriptor[count];
    for (int i = 0; i < count; i++) {
      events[i] = event();
    }
    return events;
  }

  private void refuses(
      Errno errno, int flags, int index, int start, int count, FileDescriptor... files)
      throws IOException {
    boolean bool = (flags & DeviceSetIrqs.DATA_BOOL) != 0 && count > 0 && count < 64;
    ByteBuf data = Unpooled.buffer().writeZero(bool ? count : 0);
    wire.refuses(
        errno,
        Command.DEVICE_SET_IRQS,
        new DeviceSetIrqs.Request(flags, index, start, count, data),
        files);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 19})
  void aShortArgszIsEinval(int argsz) throws Exception {
    wire.refuses(
        Errno.EINVAL,
        Command.DEVICE_SET_IRQS,
        new DeviceSetIrqs.Request(argsz, EVENTS, PciIrq.MSIX, 0, 1, Unpooled.EMPTY_BUFFER),
        event());
  }

  @Test
  void anArgszWithoutItsDataIsEinval() throws Exception {
    wire.refuses(
        Errno.EINVAL,
        Command.DEVICE_SET_IRQS,
        new DeviceSetIrqs.Request(20, BOOL, PciIrq.MSIX, 0, 2, Unpooled.buffer().writeZero(2)));
  }

  @ParameterizedTest
  @ValueSource(ints = {5, 6, Integer.MAX_VALUE, -1})
  void anIndexThatIsNoneIsEinval(int index) throws Exception {
    refuses(Errno.EINVAL, EVENTS, index, 0, 1, event());
    refuses(Errno.EINVAL, NONE, index, 0, 0);
  }

  @Test
  void everyFlagCombinationThatIsNotOneOfEachIsEinval() throws Exception {
    for (int flags = 0; flags < 1 << 6; flags++) {
      int data = Integer.bitCount(flags & DeviceSetIrqs.DATA_MASK);
      int actions = Integer.bitCount(flags & DeviceSetIrqs.ACTIONS);
      if (data != 1 || actions != 1) {
        refuses(Errno.EINVAL, flags, PciIrq.MSIX, 0, 1);
      }
    }
    refuses(Errno.EINVAL, EVENTS | 1 << 6, PciIrq.MSIX, 0, 1, event());
    refuses(Errno.EINVAL, EVENTS | 1 << 31, PciIrq.MSIX, 0, 1, event());
  }

  @ParameterizedTest
  @CsvSource({"2", "3", "4"})
  void maskingIsEnotty(int index) throws Exception {
    for (int action : new int[] {DeviceSetIrqs.ACTION_MASK, DeviceSetIrqs.ACTION_UNMASK}) {
      refuses(Errno.ENOTTY, DeviceSetIrqs.DATA_NONE | action, index, 0, 1);
      refuses(Errno.ENOTTY, DeviceSetIrqs.DATA_BOOL | action, index, 0, 1);
      refuses(Errno.ENOTTY, DeviceSetIrqs.DATA_EVENTFD | action, index, 0, 1, event());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0, 1",
    "0, 0, 0",
    "1, 0, 1",
    "2, 3, 1",
    "2, 2, 2",
    "2, 0, 4",
    "2, -1, 1",
    "2, 1, -1",
    "2, 0, -1",
    "2, 2147483647, 2147483647",
    "3, 1, 1",
    "3, 0, 2",
    "4, 1, 1"
  })
  void aRangeBeyondTheVectorsIsEinval(int index, int start, int count) throws Exception {
    refuses(Errno.EINVAL, NONE, index, start, count);
    refuses(Errno.EINVAL, EVENTS, index, start, count);
    refuses(Errno.EINVAL, EVENTS, index, start, count, events(2));
    refuses(Errno.EINVAL, BOOL, index, start, count);
  }

  @ParameterizedTest
  @CsvSource({"1, 2", "2, 1", "3, 2", "2, 3"})
  void aWrongNumberOfDescriptorsIsEinval(int count, int sent) throws Exception {
    refuses(Errno.EINVAL, EVENTS, PciIrq.MSIX, 0, count, events(sent));
  }

  @Test
  void descriptorsWithoutEventDataAreEinval() throws Exception {
    refuses(Errno.EINVAL, NONE, PciIrq.MSIX, 0, 1, event());
    refuses(Errno.EINVAL, NONE, PciIrq.MSIX, 0, 0, event());
    refuses(Errno.EINVAL, BOOL, PciIrq.MSIX, 0, 1, event());
  }

  @Test
  void booleansThatAreNotAsManyAsSaidAreEinval() throws Exception {
    for (int length : new int[] {0, 1, 3}) {
      wire.refuses(
          Errno.EINVAL,
          Command.DEVICE_SET_IRQS,
          new DeviceSetIrqs.Request(BOOL, PciIrq.MSIX, 0, 2, Unpooled.buffer().writeZero(length)));
    }
  }

  @Test
  void eventsOfNoInterruptAreEinval() throws Exception {
    refuses(Errno.EINVAL, EVENTS, PciIrq.MSIX, 0, 0);
    refuses(Errno.EINVAL, EVENTS, PciIrq.MSIX, 0, 0, event());
    refuses(Errno.EINVAL, BOOL, PciIrq.MSIX, 0, 0);
    refuses(Errno.EINVAL, NONE, PciIrq.MSIX, 1, 0);
  }

  @Test
  void aDescriptorThatIsNoEventIsEinvalAndNoneIsTaken() throws Exception {
    FileDescriptor kept = event();
    wire.client().setIrqEvents(PciIrq.MSIX, 0, kept);
    for (FileDescriptor end : OpenFiles.pipe()) {
      refuses(Errno.EINVAL, EVENTS, PciIrq.MSIX, 0, 2, event(), wire.own(end));
    }
    try (UnixSocket.Pair pair = UnixSocket.pair()) {
      refuses(Errno.EINVAL, EVENTS, PciIrq.MSIX, 0, 1, pair.first());
    }
    refuses(Errno.EINVAL, EVENTS, PciIrq.MSIX, 0, 1, wire.memory(4096).file());
    refuses(Errno.EINVAL, EVENTS, PciIrq.MSIX, 0, 1, wire.own(OpenFiles.readOnly(directory)));
    // The one that was assigned before is still the one.
    wire.client().setIrqs(NONE, PciIrq.MSIX, 0, 1, new byte[0]);
    assertThat(EventDescriptor.read(kept)).isOne();
  }

  @Test
  void replacedAndReleasedDescriptorsAreClosed() throws Exception {
    FileDescriptor[] events = events(Wire.VECTORS);
    long open = OpenFiles.count();
    for (int i = 0; i < 10; i++) {
      wire.client().setIrqEvents(PciIrq.MSIX, 0, events);
      wire.client().setIrqEvents(PciIrq.ERROR, 0, events[0]);
      wire.client().setIrqEvents(PciIrq.REQUEST, 0, events[0]);
    }
    assertThat(OpenFiles.count()).isEqualTo(open + Wire.VECTORS + 2);
    wire.client().setIrqs(EVENTS, PciIrq.MSIX, 1, 1, new byte[0]);
    assertThat(OpenFiles.count()).isEqualTo(open + Wire.VECTORS + 1);
    wire.client().disableIrqs(PciIrq.MSIX);
    wire.client().disableIrqs(PciIrq.ERROR);
    wire.client().disableIrqs(PciIrq.REQUEST);
    assertThat(OpenFiles.count()).isEqualTo(open);
  }

  @Test
  void aTriggerSignalsTheChosen() throws Exception {
    FileDescriptor[] events = events(Wire.VECTORS);
    wire.client().setIrqEvents(PciIrq.MSIX, 0, events);
    wire.client().setIrqs(NONE, PciIrq.MSIX, 0, 2, new byte[0]);
    wire.client().setIrqs(BOOL, PciIrq.MSIX, 0, 3, new byte[] {1, 0, 7});
    long[] counts = new long[Wire.VECTORS];
    for (int i = 0; i < counts.length; i++) {
      counts[i] = EventDescriptor.read(events[i]);
    }
    assertThat(counts).as(Arrays.toString(counts)).containsExactly(2, 1, 1);
  }

  @Test
  void aTriggerWithoutADescriptorDoesNothing() throws Exception {
    wire.client().setIrqEvents(PciIrq.MSIX, 1, event());
    wire.client().setIrqs(NONE, PciIrq.MSIX, 0, Wire.VECTORS, new byte[0]);
    wire.works();
  }

  @Test
  void aTriggerOfWhatIsNotInUseIsEinval() throws Exception {
    refuses(Errno.EINVAL, NONE, PciIrq.MSIX, 0, 1);
    refuses(Errno.EINVAL, BOOL, PciIrq.MSIX, 0, 1);
    refuses(Errno.EINVAL, NONE, PciIrq.ERROR, 0, 1);
    refuses(Errno.EINVAL, NONE, PciIrq.REQUEST, 0, 1);
  }

  @Test
  void aFunctionWithoutAPinHasNoIntx() throws Exception {
    for (int action :
        new int[] {
          DeviceSetIrqs.ACTION_MASK, DeviceSetIrqs.ACTION_UNMASK, DeviceSetIrqs.ACTION_TRIGGER
        }) {
      refuses(Errno.EINVAL, DeviceSetIrqs.DATA_NONE | action, PciIrq.INTX, 0, 1);
      refuses(Errno.EINVAL, DeviceSetIrqs.DATA_EVENTFD | action, PciIrq.INTX, 0, 1, event());
    }
  }
}
