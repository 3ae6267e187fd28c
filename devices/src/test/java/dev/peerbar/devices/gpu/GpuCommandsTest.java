package dev.peerbar.devices.gpu;

import static dev.peerbar.devices.gpu.GpuFixture.RAM;
import static dev.peerbar.devices.gpu.GpuFixture.attach;
import static dev.peerbar.devices.gpu.GpuFixture.command;
import static dev.peerbar.devices.gpu.GpuFixture.create;
import static dev.peerbar.devices.gpu.GpuFixture.createBlob;
import static dev.peerbar.devices.gpu.GpuFixture.detach;
import static dev.peerbar.devices.gpu.GpuFixture.flush;
import static dev.peerbar.devices.gpu.GpuFixture.setScanout;
import static dev.peerbar.devices.gpu.GpuFixture.setScanoutBlob;
import static dev.peerbar.devices.gpu.GpuFixture.transfer;
import static dev.peerbar.devices.gpu.GpuFixture.unref;
import static dev.peerbar.devices.gpu.ResponseType.ERR_INVALID_PARAMETER;
import static dev.peerbar.devices.gpu.ResponseType.ERR_INVALID_RESOURCE_ID;
import static dev.peerbar.devices.gpu.ResponseType.ERR_INVALID_SCANOUT_ID;
import static dev.peerbar.devices.gpu.ResponseType.ERR_UNSPEC;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What each command is answered with. */
class GpuCommandsTest {
  private static final Format FORMAT = Format.B8G8R8X8_UNORM;
  private static final int IMAGE = 1;
  private static final int BLOB = 2;
  private static final int NONE = 99;
  private static final int BLOB_BYTES = 64 * 64 * 4;

  private final GpuFixture gpu = new GpuFixture(new GpuConfig(2, new DisplaySize(640, 480)));

  @BeforeEach
  void resources() {
    gpu.ok(create(IMAGE, FORMAT, 64, 64));
    gpu.ok(createBlob(BLOB, BLOB_BYTES, RAM, BLOB_BYTES));
  }

  // Requests as such.

  @ParameterizedTest
  @EnumSource(CommandType.class)
  void aRequestThatIsShorterThanItsStructIsRefused(CommandType type) {
    byte[] whole = command(type).word(4, Header.FLAG_FENCE).doubleWord(8, 77).bytes();
    byte[] cut = Arrays.copyOf(whole, whole.length - 1);
    int queue = type.ofCursors() ? GpuDevice.CURSOR_QUEUE : GpuDevice.CONTROL_QUEUE;
    FakeRequest request = gpu.queue(queue, gpu.request(cut, GpuFixture.ROOM));
    gpu.host.settle();
    assertThat(request.type()).isEqualTo(ERR_UNSPEC.code());
    assertThat(request.written()).isEqualTo(Header.BYTES);
    if (cut.length >= Header.BYTES) {
      assertThat(request.response().getLong(8)).isEqualTo(77);
    }
  }

  @Test
  void anEmptyRequestIsRefused() {
    FakeRequest request = gpu.queue(0, gpu.request(new byte[0], GpuFixture.ROOM));
    gpu.host.settle();
    assertThat(request.type()).isEqualTo(ERR_UNSPEC.code());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 0xff, 0x10e, 0x200, 0x201, 0x204, 0x207, 0x208, 0x209, 0x302, 0x1100, -1})
  void whatIsNoCommandIsRefused(int code) {
    gpu.expect(new GpuFixture.Command(code, 128), ERR_UNSPEC);
  }

  @Test
  void capsetsThereAreNone() {
    gpu.expect(command(CommandType.GET_CAPSET_INFO), ERR_INVALID_PARAMETER);
    gpu.expect(command(CommandType.GET_CAPSET).word(24, 1), ERR_INVALID_PARAMETER);
  }

  @Test
  void aCommandInTheOtherQueueIsRefused() {
    FakeRequest control =
        gpu.queue(1, gpu.request(command(CommandType.GET_DISPLAY_INFO).bytes(), 1056));
    FakeRequest cursor = gpu.queue(0, gpu.request(command(CommandType.MOVE_CURSOR).bytes(), 1056));
    gpu.host.settle();
    assertThat(control.type()).isEqualTo(ERR_UNSPEC.code());
    assertThat(cursor.type()).isEqualTo(ERR_UNSPEC.code());
  }

  @Test
  void aCommandOfAFeatureThatTheDriverDidNotTakeIsRefused() {
    expectRefusedWithout(GpuDevice.F_EDID, command(CommandType.GET_EDID));
    expectRefusedWithout(
        GpuDevice.F_RESOURCE_UUID, command(CommandType.RESOURCE_ASSIGN_UUID).word(24, IMAGE));
    expectRefusedWithout(GpuDevice.F_RESOURCE_BLOB, createBlob(3, 4096));
    expectRefusedWithout(GpuDevice.F_RESOURCE_BLOB, setScanoutBlob(0, 0, 64, 64, FORMAT, 256, 0));
  }

  private void expectRefusedWithout(long feature, GpuFixture.Command command) {
    gpu.device.reset();
    gpu.device.driverReady(GpuFixture.ALL & ~feature);
    gpu.ok(create(IMAGE, FORMAT, 64, 64));
    gpu.expect(command, ERR_UNSPEC);
    gpu.device.reset();
    gpu.device.driverReady(feature);
    gpu.ok(create(IMAGE, FORMAT, 64, 64));
    assertThat(gpu.send(command).type()).isLessThan(ERR_UNSPEC.code());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 23, 24, 100})
  void anAnswerIsCutWhereThereIsNoRoom(int room) {
    FakeRequest request =
        gpu.queue(0, gpu.request(command(CommandType.GET_DISPLAY_INFO).bytes(), room));
    gpu.host.settle();
    assertThat(request.done()).isTrue();
    assertThat(request.written()).isEqualTo(room);
  }

  @Test
  void aFaultOfTheRequestItselfIsTheTransports() {
    FakeRequest request = gpu.request(command(CommandType.GET_DISPLAY_INFO).bytes(), 1056);
    gpu.queue(0, request.unreadable());
    gpu.host.settle();
    assertThat(gpu.requestFaults).isEqualTo(1);
    assertThat(request.done()).isFalse();
  }

  // RESOURCE_CREATE_2D.

  @ParameterizedTest
  @CsvSource({
    "0, 2, 64, 64, ERR_INVALID_RESOURCE_ID",
    "1, 2, 64, 64, ERR_INVALID_RESOURCE_ID",
    "2, 2, 64, 64, ERR_INVALID_RESOURCE_ID",
    "3, 0, 64, 64, ERR_INVALID_PARAMETER",
    "3, 5, 64, 64, ERR_INVALID_PARAMETER",
    "3, 2, 0, 64, ERR_INVALID_PARAMETER",
    "3, 2, 64, 0, ERR_INVALID_PARAMETER",
    "3, 2, 16385, 1, ERR_INVALID_PARAMETER",
    "3, 2, 65536, 65536, ERR_INVALID_PARAMETER",
    "3, 2, 1, -1, ERR_INVALID_PARAMETER",
    "3, 2, 16384, 16384, ERR_OUT_OF_MEMORY",
    "-1, 134, 16384, 1, OK_NODATA"
  })
  void aResourceIsCreatedOrNot(int id, int format, int width, int height, ResponseType answer) {
    gpu.expect(
        command(CommandType.RESOURCE_CREATE_2D)
            .word(24, id)
            .word(28, format)
            .word(32, width)
            .word(36, height),
        answer);
  }

  // RESOURCE_CREATE_BLOB.

  @ParameterizedTest
  @CsvSource({
    "0, 1, 0, 4096, ERR_INVALID_RESOURCE_ID",
    "1, 1, 0, 4096, ERR_INVALID_RESOURCE_ID",
    "3, 0, 0, 4096, ERR_INVALID_PARAMETER",
    "3, 2, 0, 4096, ERR_INVALID_PARAMETER",
    "3, 3, 0, 4096, ERR_INVALID_PARAMETER",
    "3, 1, 8, 4096, ERR_INVALID_PARAMETER",
    "3, 1, 0, 0, ERR_INVALID_PARAMETER",
    "3, 1, 0, -1, ERR_INVALID_PARAMETER",
    "3, 1, 0, 4097, ERR_INVALID_PARAMETER",
    "3, 1, 7, 4096, OK_NODATA",
    "3, 1, 0, 1, OK_NODATA"
  })
  void aBlobIsCreatedOrNot(int id, int memory, int flags, long size, ResponseType answer) {
    gpu.expect(
        createBlob(id, size, RAM, 2048, RAM + 4096, 2048).word(28, memory).word(32, flags), answer);
    long before = gpu.device.hostBytes();
    gpu.send(unref(3));
    assertThat(gpu.device.hostBytes() < before).isEqualTo(answer == ResponseType.OK_NODATA);
  }

  @Test
  void aBlobMayHaveItsMemoryLater() {
    gpu.ok(createBlob(3, 4096));
    gpu.expect(attach(3, RAM, 4095), ERR_INVALID_PARAMETER);
    gpu.ok(attach(3, RAM, 4096));
    gpu.expect(attach(3, RAM, 4096), ERR_UNSPEC);
  }

  // Backing.

  @Test
  void aBackingIsAttachedOnceAndDetachedOnce() {
    gpu.expect(detach(IMAGE), ERR_UNSPEC);
    gpu.ok(attach(IMAGE, RAM, 4096));
    gpu.expect(attach(IMAGE, RAM, 4096), ERR_UNSPEC);
    gpu.ok(detach(IMAGE));
    gpu.expect(detach(IMAGE), ERR_UNSPEC);
    gpu.ok(attach(IMAGE, RAM, 4096));
    gpu.expect(attach(NONE, RAM, 4096), ERR_INVALID_RESOURCE_ID);
    gpu.expect(detach(NONE), ERR_INVALID_RESOURCE_ID);
    gpu.expect(detach(0), ERR_INVALID_RESOURCE_ID);
  }

  @Test
  void entriesAreAllThereAndRangesOfAddresses() {
    gpu.expect(attach(IMAGE), ERR_INVALID_PARAMETER);
    gpu.expect(attach(IMAGE, RAM, 4096).word(28, 2), ERR_UNSPEC);
    gpu.expect(attach(IMAGE, RAM, 4096).word(28, -1), ResponseType.ERR_OUT_OF_MEMORY);
    gpu.expect(attach(IMAGE, -4096, 4097), ERR_INVALID_PARAMETER);
    gpu.expect(attach(IMAGE, RAM, 4096, -1, 0xffff_ffffL), ERR_INVALID_PARAMETER);
    gpu.expect(createBlob(3, 4096, RAM, 4096).word(36, 2), ERR_UNSPEC);
    // The last byte of the address space, and the first one behind it.
    gpu.ok(attach(IMAGE, -4096, 4096, 0, 4096, RAM, 0));
  }

  // RESOURCE_UNREF.

  @Test
  void aResourceIsGoneOnce() {
    gpu.ok(unref(IMAGE));
    gpu.expect(unref(IMAGE), ERR_INVALID_RESOURCE_ID);
    gpu.expect(unref(0), ERR_INVALID_RESOURCE_ID);
    gpu.ok(create(IMAGE, FORMAT, 64, 64));
  }

  @Test
  void whatShowsAResourceThatGoesShowsNothing() {
    gpu.ok(setScanout(0, IMAGE, 0, 0, 64, 64));
    gpu.ok(setScanoutBlob(1, BLOB, 64, 64, FORMAT, 256, 0));
    gpu.ok(unref(IMAGE));
    assertThat(gpu.device.screenshot(0)).isEmpty();
    assertThat(gpu.device.screenshot(1)).isPresent();
  }

  // SET_SCANOUT.

  @ParameterizedTest
  @CsvSource({
    "2, 1, 0, 0, 64, 64, ERR_INVALID_SCANOUT_ID",
    "-1, 1, 0, 0, 64, 64, ERR_INVALID_SCANOUT_ID",
    "2, 0, 0, 0, 64, 64, ERR_INVALID_SCANOUT_ID",
    "0, 99, 0, 0, 64, 64, ERR_INVALID_RESOURCE_ID",
    "0, 2, 0, 0, 64, 64, ERR_INVALID_PARAMETER",
    "0, 1, 0, 0, 65, 64, ERR_INVALID_PARAMETER",
    "0, 1, 0, 0, 64, 65, ERR_INVALID_PARAMETER",
    "0, 1, 1, 0, 64, 64, ERR_INVALID_PARAMETER",
    "0, 1, 0, 1, 64, 64, ERR_INVALID_PARAMETER",
    "0, 1, 0, 0, 0, 64, ERR_INVALID_PARAMETER",
    "0, 1, 0, 0, 64, 0, ERR_INVALID_PARAMETER",
    "0, 1, -1, 0, 2, 2, ERR_INVALID_PARAMETER",
    "0, 1, 2, 2, -1, -1, ERR_INVALID_PARAMETER",
    "0, 0, 0, 0, 0, 0, OK_NODATA",
    "1, 1, 63, 63, 1, 1, OK_NODATA",
    "0, 1, 0, 0, 64, 64, OK_NODATA"
  })
  void anOutputShowsAResourceOrNot(
      int output, int id, int x, int y, int width, int height, ResponseType answer) {
    gpu.expect(setScanout(output, id, x, y, width, height), answer);
  }

  // SET_SCANOUT_BLOB, of a blob of 64 rows of 64 pixels.

  @ParameterizedTest
  @CsvSource({
    "2, 2, 64, 64, 2, 256, 0, ERR_INVALID_SCANOUT_ID",
    "0, 99, 64, 64, 2, 256, 0, ERR_INVALID_RESOURCE_ID",
    "0, 1, 64, 64, 2, 256, 0, ERR_INVALID_PARAMETER",
    "0, 2, 64, 64, 0, 256, 0, ERR_INVALID_PARAMETER",
    "0, 2, 64, 64, 2, 255, 0, ERR_INVALID_PARAMETER",
    "0, 2, 64, 64, 2, 257, 0, ERR_INVALID_PARAMETER",
    "0, 2, 64, 64, 2, 256, 1, ERR_INVALID_PARAMETER",
    "0, 2, 64, 65, 2, 256, 0, ERR_INVALID_PARAMETER",
    "0, 2, 64, 64, 2, -1, 0, ERR_INVALID_PARAMETER",
    "0, 2, 64, 64, 2, 256, -1, ERR_INVALID_PARAMETER",
    "0, 2, 0, 64, 2, 256, 0, ERR_INVALID_PARAMETER",
    "0, 2, 64, 0, 2, 256, 0, ERR_INVALID_PARAMETER",
    "0, 2, -1, -1, 2, -1, 0, ERR_INVALID_PARAMETER",
    "0, 0, 0, 0, 0, 0, 0, OK_NODATA",
    "0, 2, 63, 64, 2, 256, 4, OK_NODATA",
    "1, 2, 64, 64, 134, 256, 0, OK_NODATA",
    "1, 2, 16, 3, 2, 8160, 0, OK_NODATA"
  })
  void anOutputShowsABlobOrNot(
      int output,
      int id,
      int width,
      int height,
      int format,
      int stride,
      int offset,
      ResponseType answer) {
    gpu.expect(
        setScanoutBlob(output, id, width, height, FORMAT, stride, offset).word(56, format), answer);
  }

  @Test
  void whatIsShownOfABlobIsWithinIt() {
    GpuFixture.Command whole = setScanoutBlob(0, BLOB, 64, 64, FORMAT, 256, 0);
    gpu.expect(whole.rectangle(1, 0, 64, 64), ERR_INVALID_PARAMETER);
    gpu.expect(whole.rectangle(0, 0, 0, 64), ERR_INVALID_PARAMETER);
    gpu.expect(whole.rectangle(-1, 0, 2, 2), ERR_INVALID_PARAMETER);
    gpu.ok(whole.rectangle(10, 20, 30, 40));
    assertThat(gpu.picture(0).width()).isEqualTo(30);
    assertThat(gpu.picture(0).height()).isEqualTo(40);
  }

  // RESOURCE_FLUSH and TRANSFER_TO_HOST_2D.

  @ParameterizedTest
  @CsvSource({
    "99, 0, 0, 64, 64, ERR_INVALID_RESOURCE_ID",
    "1, 0, 0, 65, 64, ERR_INVALID_PARAMETER",
    "1, 1, 0, 64, 64, ERR_INVALID_PARAMETER",
    "1, -1, -1, 2, 2, ERR_INVALID_PARAMETER",
    "1, 64, 64, 0, 0, OK_NODATA",
    "1, 0, 0, 64, 64, OK_NODATA",
    "2, 0, 0, -1, -1, OK_NODATA",
    "2, -1, -1, -1, -1, OK_NODATA"
  })
  void aResourceIsFlushedOrNot(int id, int x, int y, int width, int height, ResponseType answer) {
    gpu.ok(setScanout(0, IMAGE, 0, 0, 64, 64));
    gpu.ok(setScanoutBlob(1, BLOB, 64, 64, FORMAT, 256, 0));
    gpu.expect(flush(id, x, y, width, height), answer);
  }

  @ParameterizedTest
  @CsvSource({
    "99, 0, 0, 0, 64, 64, ERR_INVALID_RESOURCE_ID",
    "1, 0, 0, 0, 65, 64, ERR_INVALID_PARAMETER",
    "1, 0, 1, 0, 64, 64, ERR_INVALID_PARAMETER",
    "1, 0, -1, 0, 2, 1, ERR_INVALID_PARAMETER",
    "1, 1, 0, 0, 64, 64, ERR_INVALID_PARAMETER",
    "1, -1, 0, 0, 64, 64, ERR_INVALID_PARAMETER",
    "1, 9223372036854775807, 0, 0, 64, 64, ERR_INVALID_PARAMETER",
    "1, 16380, 63, 63, 1, 1, OK_NODATA",
    "1, 16384, 63, 63, 1, 1, ERR_INVALID_PARAMETER",
    "1, 0, 64, 64, 0, 0, OK_NODATA",
    "1, 0, 0, 0, 64, 64, OK_NODATA",
    "2, 0, 0, 0, 64, 64, OK_NODATA"
  })
  void aResourceIsTransferredOrNot(
      int id, long offset, int x, int y, int width, int height, ResponseType answer) {
    gpu.ok(attach(IMAGE, RAM, BLOB_BYTES));
    gpu.expect(transfer(id, offset, x, y, width, height), answer);
  }

  @Test
  void withoutABackingThereIsNothingToTransfer() {
    gpu.expect(transfer(IMAGE, 0, 0, 0, 64, 64), ERR_UNSPEC);
    gpu.ok(detach(BLOB));
    gpu.expect(transfer(BLOB, 0, 0, 0, 64, 64), ERR_UNSPEC);
  }

  // RESOURCE_ASSIGN_UUID.

  @Test
  void aResourceHasOneUuid() {
    FakeRequest first = gpu.send(command(CommandType.RESOURCE_ASSIGN_UUID).word(24, IMAGE));
    FakeRequest again = gpu.send(command(CommandType.RESOURCE_ASSIGN_UUID).word(24, IMAGE));
    FakeRequest other = gpu.send(command(CommandType.RESOURCE_ASSIGN_UUID).word(24, BLOB));
    assertThat(first.type()).isEqualTo(0x1105);
    assertThat(first.written()).isEqualTo(40);
    assertThat(uuid(first)).isEqualTo(uuid(again)).isNotEqualTo(uuid(other));
    // Version 4, variant 2.
    assertThat(uuid(first)[6] & 0xf0).isEqualTo(0x40);
    assertThat(uuid(first)[8] & 0xc0).isEqualTo(0x80);
    gpu.expect(command(CommandType.RESOURCE_ASSIGN_UUID).word(24, NONE), ERR_INVALID_RESOURCE_ID);
  }

  private static byte[] uuid(FakeRequest request) {
    byte[] uuid = new byte[16];
    request.response().get(24, uuid);
    return uuid;
  }

  // Cursors.

  @Test
  void aCursorIsOfAnOutputAndOfAResource() {
    gpu.expect(GpuFixture.updateCursor(2, 0, 0, IMAGE), ERR_INVALID_SCANOUT_ID);
    gpu.expect(GpuFixture.moveCursor(2, 0, 0), ERR_INVALID_SCANOUT_ID);
    gpu.expect(GpuFixture.updateCursor(0, 0, 0, NONE), ERR_INVALID_RESOURCE_ID);
    gpu.ok(create(3, FORMAT, 64, 63));
    gpu.expect(GpuFixture.updateCursor(0, 0, 0, 3), ERR_INVALID_PARAMETER);
    gpu.ok(createBlob(4, BLOB_BYTES - 1, RAM, BLOB_BYTES));
    gpu.expect(GpuFixture.updateCursor(0, 0, 0, 4), ERR_INVALID_PARAMETER);
    gpu.ok(GpuFixture.updateCursor(0, 0, 0, IMAGE));
    gpu.ok(GpuFixture.updateCursor(1, 0, 0, BLOB));
    gpu.ok(GpuFixture.updateCursor(1, 0, 0, 0));
    gpu.ok(detach(BLOB));
    gpu.expect(GpuFixture.updateCursor(0, 0, 0, BLOB), ERR_UNSPEC);
  }
}
