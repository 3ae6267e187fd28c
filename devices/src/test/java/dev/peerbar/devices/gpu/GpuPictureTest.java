package dev.peerbar.devices.gpu;

import static dev.peerbar.devices.gpu.GpuFixture.RAM;
import static dev.peerbar.devices.gpu.GpuFixture.attach;
import static dev.peerbar.devices.gpu.GpuFixture.create;
import static dev.peerbar.devices.gpu.GpuFixture.createBlob;
import static dev.peerbar.devices.gpu.GpuFixture.detach;
import static dev.peerbar.devices.gpu.GpuFixture.flush;
import static dev.peerbar.devices.gpu.GpuFixture.moveCursor;
import static dev.peerbar.devices.gpu.GpuFixture.setScanout;
import static dev.peerbar.devices.gpu.GpuFixture.setScanoutBlob;
import static dev.peerbar.devices.gpu.GpuFixture.transfer;
import static dev.peerbar.devices.gpu.GpuFixture.unref;
import static dev.peerbar.devices.gpu.GpuFixture.updateCursor;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.endpoint.Picture;
import dev.peerbar.pci.ResetKind;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** What outputs show, and which memory is read for that. */
class GpuPictureTest {
  private static final Format FORMAT = Format.B8G8R8X8_UNORM;
  private static final int WIDTH = 40;
  private static final int HEIGHT = 30;
  private static final int BLACK = 0xff00_0000;
  private static final int ID = 7;

  private final GpuFixture gpu = new GpuFixture(new GpuConfig(3, new DisplaySize(640, 480)));

  /** What a test has at a place, if it is drawn: no two pixels are alike. */
  private static int color(int x, int y) {
    return 0xff00_0000 | x << 16 | y << 8 | 0x55;
  }

  /** Draws a framebuffer into client memory. */
  private void draw(long offset, int stride, int width, int height) {
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        gpu.pixel(offset + (long) y * stride + x * 4L, color(x, y) & 0xff_ffff);
      }
    }
  }

  /** Looks at all of an output: what is within is drawn, from a place on; the rest is black. */
  private void expectDrawn(int output, int originX, int originY, Rectangle drawn) {
    Picture picture = gpu.picture(output);
    for (int y = 0; y < picture.height(); y++) {
      for (int x = 0; x < picture.width(); x++) {
        boolean within =
            x >= drawn.x()
                && x < drawn.x() + drawn.width()
                && y >= drawn.y()
                && y < drawn.y() + drawn.height();
        assertThat(picture.pixel(x, y))
            .as("(%d, %d)", x, y)
            .isEqualTo(within ? color(x + originX, y + originY) : BLACK);
      }
    }
  }

  private int transfers(Runnable action) {
    return transfers(() -> {}, action);
  }

  /** How many there were in an action, at the beginning of each of which something is done. */
  private int transfers(Runnable atEach, Runnable action) {
    AtomicInteger count = new AtomicInteger();
    gpu.host.beforeTransfer(() -> {
      count.incrementAndGet();
      atEach.run();
    });
    action.run();
    gpu.host.beforeTransfer(() -> {});
    return count.get();
  }

  // 2D resources.

  @Test
  void a2dResourceIsShownAsItWasTransferredAndFlushed() {
    gpu.ok(create(ID, FORMAT, WIDTH, HEIGHT));
    gpu.ok(attach(ID, RAM, 1 << 20));
    gpu.ok(setScanout(0, ID, 0, 0, WIDTH, HEIGHT));
    draw(0, WIDTH * 4, WIDTH, HEIGHT);
    expectDrawn(0, 0, 0, new Rectangle(0, 0, 0, 0));
    gpu.ok(transfer(ID, 0, 0, 0, WIDTH, HEIGHT));
    expectDrawn(0, 0, 0, new Rectangle(0, 0, 0, 0));
    gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT));
    expectDrawn(0, 0, 0, new Rectangle(0, 0, WIDTH, HEIGHT));
  }

  @Test
  void partsAreTransferredFromWhereTheDriverSays() {
    gpu.ok(create(ID, FORMAT, WIDTH, HEIGHT));
    gpu.ok(attach(ID, RAM, 1 << 20));
    gpu.ok(setScanout(0, ID, 0, 0, WIDTH, HEIGHT));
    draw(0, WIDTH * 4, WIDTH, HEIGHT);
    gpu.ok(transfer(ID, (6 * WIDTH + 5) * 4, 5, 6, 10, 11));
    gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT));
    expectDrawn(0, 0, 0, new Rectangle(5, 6, 10, 11));
  }

  @Test
  void onlyThePartThatIsFlushedChanges() {
    gpu.ok(create(ID, FORMAT, WIDTH, HEIGHT));
    gpu.ok(attach(ID, RAM, 1 << 20));
    gpu.ok(setScanout(0, ID, 0, 0, WIDTH, HEIGHT));
    gpu.ok(setScanout(1, ID, 10, 5, 20, 20));
    draw(0, WIDTH * 4, WIDTH, HEIGHT);
    gpu.ok(transfer(ID, 0, 0, 0, WIDTH, HEIGHT));
    gpu.ok(flush(ID, 8, 3, 6, 7));
    expectDrawn(0, 0, 0, new Rectangle(8, 3, 6, 7));
    // Output 1 begins at (10, 5) of the resource.
    expectDrawn(1, 10, 5, new Rectangle(0, 0, 4, 5));
  }

  @Test
  void entriesOfABackingMayEndAnywhere() {
    gpu.ok(create(ID, FORMAT, WIDTH, HEIGHT));
    int bytes = WIDTH * HEIGHT * 4;
    draw(0, WIDTH * 4, WIDTH, HEIGHT);
    // In pieces of 1, 2, 3 … bytes, which lie in memory the other way round.
    long[] entries = new long[200];
    int done = 0;
    int count = 0;
    for (; done < bytes; count++) {
      int length = Math.min(count + 1, bytes - done);
      long at = (1 << 20) - done - length;
      gpu.ram.asSlice(at, length).copyFrom(gpu.ram.asSlice(done, length));
      entries[2 * count] = RAM + at;
      entries[2 * count + 1] = length;
      done += length;
    }
    gpu.ok(attach(ID, Arrays.copyOf(entries, 2 * count)));
    gpu.ok(setScanout(0, ID, 0, 0, WIDTH, HEIGHT));
    gpu.ok(transfer(ID, 0, 0, 0, WIDTH, HEIGHT));
    gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT));
    expectDrawn(0, 0, 0, new Rectangle(0, 0, WIDTH, HEIGHT));
  }

  @Test
  void neighboursAreReadTogether() {
    gpu.ok(create(ID, FORMAT, 1024, 1024));
    long[] entries = new long[2048];
    for (int i = 0; i < 1024; i++) {
      entries[2 * i] = RAM + i * 4096L;
      entries[2 * i + 1] = 4096;
    }
    gpu.ok(attach(ID, entries));
    assertThat(transfers(() -> gpu.ok(transfer(ID, 0, 0, 0, 1024, 1024)))).isEqualTo(4);
    assertThat(transfers(() -> gpu.ok(transfer(ID, 0, 0, 0, 1023, 1024)))).isEqualTo(1024);
  }

  @Test
  void aTransferBeginsInTheEntryThatHasItsFirstByte() {
    gpu.ok(create(ID, FORMAT, 16, 16));
    gpu.ok(attach(ID, RAM + 4096, 64, RAM, 64, 0xdead_0000L, 4096));
    assertThat(transfers(() -> gpu.ok(transfer(ID, 64, 0, 0, 16, 1)))).isEqualTo(1);
    assertThat(transfers(() -> gpu.ok(transfer(ID, 60, 0, 0, 2, 1)))).isEqualTo(2);
    gpu.expect(transfer(ID, 68, 0, 0, 16, 1), ResponseType.ERR_UNSPEC);
  }

  /** A transfer is not asked to go around the end of the address space. */
  @Test
  void theFirstAddressIsNoNeighbourOfTheLast() {
    gpu.host.map(-64, 64);
    gpu.host.map(0, 64);
    gpu.ok(create(ID, FORMAT, 32, 1));
    gpu.ok(attach(ID, -64, 64, 0, 64));
    assertThat(transfers(() -> gpu.ok(transfer(ID, 0, 0, 0, 32, 1)))).isEqualTo(2);
  }

  // Blobs.

  @Test
  void aBlobIsReadWhenItIsFlushed() {
    int stride = WIDTH * 4 + 12;
    int offset = 20;
    gpu.ok(createBlob(ID, 1 << 16, RAM, 1 << 16));
    gpu.ok(setScanoutBlob(0, ID, WIDTH, HEIGHT, FORMAT, stride, offset).rectangle(3, 4, 30, 20));
    draw(offset, stride, WIDTH, HEIGHT);
    assertThat(transfers(() -> gpu.ok(transfer(ID, 0, 0, 0, WIDTH, HEIGHT)))).isZero();
    expectDrawn(0, 3, 4, new Rectangle(0, 0, 0, 0));
    gpu.ok(flush(ID, 5, 6, 7, 8));
    expectDrawn(0, 3, 4, new Rectangle(2, 2, 7, 8));
    gpu.ok(flush(ID, 0, 0, -1, -1));
    expectDrawn(0, 3, 4, new Rectangle(0, 0, 30, 20));
  }

  /** Between rows and behind the last one there may be no memory at all. */
  @Test
  void nothingButPixelsIsRead() {
    int page = 0x1000;
    long start = 0x7_0000_0000L;
    for (int y = 0; y < 3; y++) {
      gpu.host.map(start + y * page, 64).set(Fields.INT, 60, 0x0102_0304 + y);
    }
    gpu.ok(createBlob(ID, 3 * page, start, 3 * page));
    gpu.ok(setScanoutBlob(0, ID, 16, 3, FORMAT, page, 0));
    gpu.ok(flush(ID, 0, 0, 16, 3));
    for (int y = 0; y < 3; y++) {
      assertThat(gpu.picture(0).pixel(15, y)).isEqualTo(0xff02_0304 + y);
    }
  }

  @Test
  void aDisplayIsOpaque() {
    gpu.ok(createBlob(ID, 4, RAM, 4));
    gpu.ok(setScanoutBlob(0, ID, 1, 1, Format.B8G8R8A8_UNORM, 4, 0));
    gpu.pixel(0, 0x1234_5678);
    gpu.ok(flush(ID, 0, 0, 1, 1));
    assertThat(gpu.picture(0).pixel(0, 0)).isEqualTo(0xff34_5678);
  }

  @Test
  void whatCannotBeReadLeavesThePictureAsItIs() {
    long half = WIDTH * 4L * HEIGHT / 2;
    gpu.ok(createBlob(ID, 2 * half, RAM, half, 0xdead_0000L, half));
    gpu.ok(setScanoutBlob(0, ID, WIDTH, HEIGHT, FORMAT, WIDTH * 4, 0));
    draw(0, WIDTH * 4, WIDTH, HEIGHT / 2);
    gpu.expect(flush(ID, 0, 0, WIDTH, HEIGHT), ResponseType.ERR_UNSPEC);
    expectDrawn(0, 0, 0, new Rectangle(0, 0, 0, 0));
    assertThat(gpu.requestFaults).isZero();
    gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT / 2));
    expectDrawn(0, 0, 0, new Rectangle(0, 0, WIDTH, HEIGHT / 2));
    gpu.host.busMaster(false);
    gpu.expect(flush(ID, 0, 0, WIDTH, HEIGHT / 2), ResponseType.ERR_UNSPEC);
  }

  @Test
  void nothingIsReadOnceABackingIsDetached() {
    gpu.ok(createBlob(ID, 1 << 16, RAM, 1 << 16));
    gpu.ok(setScanoutBlob(0, ID, WIDTH, HEIGHT, FORMAT, WIDTH * 4, 0));
    draw(0, WIDTH * 4, WIDTH, HEIGHT);
    gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT));
    gpu.ok(detach(ID));
    gpu.ram.fill((byte) 0);
    int read =
        transfers(() -> {
          gpu.expect(flush(ID, 0, 0, WIDTH, HEIGHT), ResponseType.ERR_UNSPEC);
          gpu.expect(updateCursor(0, 0, 0, ID), ResponseType.ERR_UNSPEC);
        });
    assertThat(read).isZero();
    expectDrawn(0, 0, 0, new Rectangle(0, 0, WIDTH, HEIGHT));
    gpu.ok(attach(ID, RAM, 1 << 16));
    gpu.ok(flush(ID, 0, 0, 1, 1));
    assertThat(gpu.picture(0).pixel(0, 0)).isEqualTo(BLACK);
  }

  // Outputs.

  @Test
  void flippingPagesKeepsThePictureUntilTheFlush() {
    gpu.ok(createBlob(ID, 1 << 16, RAM, 1 << 16));
    gpu.ok(createBlob(ID + 1, 1 << 16, RAM + (1 << 16), 1 << 16));
    draw(0, WIDTH * 4, WIDTH, HEIGHT);
    gpu.ok(setScanoutBlob(0, ID, WIDTH, HEIGHT, FORMAT, WIDTH * 4, 0));
    gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT));
    gpu.ok(setScanoutBlob(0, ID + 1, WIDTH, HEIGHT, FORMAT, WIDTH * 4, 0));
    expectDrawn(0, 0, 0, new Rectangle(0, 0, WIDTH, HEIGHT));
    gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT));
    expectDrawn(0, 0, 0, new Rectangle(0, 0, WIDTH, HEIGHT));
    gpu.ok(flush(ID + 1, 0, 0, WIDTH, HEIGHT));
    expectDrawn(0, 0, 0, new Rectangle(0, 0, 0, 0));
    gpu.ok(setScanoutBlob(0, ID, WIDTH, HEIGHT - 1, FORMAT, WIDTH * 4, 0));
    assertThat(gpu.picture(0).height()).isEqualTo(HEIGHT - 1);
  }

  @Test
  void anOutputThatIsDisabledShowsNothing() {
    gpu.ok(create(ID, FORMAT, WIDTH, HEIGHT));
    long before = gpu.device.hostBytes();
    gpu.ok(setScanout(0, ID, 0, 0, WIDTH, HEIGHT));
    assertThat(gpu.device.hostBytes()).isGreaterThan(before);
    gpu.ok(setScanout(0, 0, 0, 0, 0, 0));
    assertThat(gpu.device.screenshot(0)).isEmpty();
    assertThat(gpu.device.hostBytes()).isEqualTo(before);
    gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT));
    gpu.ok(setScanout(0, 0, 0, 0, 0, 0));
    assertThat(gpu.device.hostBytes()).isEqualTo(before);
  }

  /** Nor does whoever looks wait for the rest. */
  @Test
  void noPictureIsOfHalfAFlush() {
    gpu.ok(createBlob(ID, 1 << 16, RAM, 1 << 16));
    gpu.ok(setScanoutBlob(0, ID, WIDTH, HEIGHT, FORMAT, WIDTH * 4 + 4, 0));
    draw(0, WIDTH * 4 + 4, WIDTH, HEIGHT);
    int rows =
        transfers(
            () -> expectDrawn(0, 0, 0, new Rectangle(0, 0, 0, 0)),
            () -> gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT)));
    assertThat(rows).isEqualTo(HEIGHT);
    expectDrawn(0, 0, 0, new Rectangle(0, 0, WIDTH, HEIGHT));
  }

  @Test
  void aPictureIsItsHoldersOwn() {
    gpu.ok(create(ID, FORMAT, WIDTH, HEIGHT));
    gpu.ok(setScanout(0, ID, 0, 0, WIDTH, HEIGHT));
    gpu.picture(0).argb()[0] = 0x1234;
    assertThat(gpu.picture(0).pixel(0, 0)).isEqualTo(BLACK);
    assertThat(gpu.picture(0).pixel(0, 1)).isEqualTo(BLACK);
  }

  // Cursors.

  @Test
  void aCursorLiesOverThePicture() {
    gpu.ok(create(ID, FORMAT, 64, 64));
    gpu.ok(attach(ID, RAM, 1 << 16));
    for (int i = 0; i < 64 * 64; i++) {
      gpu.pixel(i * 4L, 0x0010_20f0);
    }
    gpu.ok(transfer(ID, 0, 0, 0, 64, 64));
    gpu.ok(setScanout(0, ID, 0, 0, 64, 64));
    gpu.ok(flush(ID, 0, 0, 64, 64));
    // Opaque, half, without color, more than there can be.
    gpu.ram.asSlice(0, 64 * 64 * 4).fill((byte) 0);
    gpu.pixel(0, 0xffaa_bbcc);
    gpu.pixel(4, 0x8040_0000);
    gpu.pixel(8, 0x0000_0000);
    gpu.pixel(12, 0x00ff_ff20);
    gpu.ok(createBlob(ID + 1, 64 * 64 * 4, RAM, 64 * 64 * 4));
    gpu.ok(updateCursor(0, 10, 20, ID + 1));
    Picture picture = gpu.picture(0);
    assertThat(picture.pixel(9, 20)).isEqualTo(0xff10_20f0);
    assertThat(picture.pixel(10, 20)).isEqualTo(0xffaa_bbcc);
    // 0x40 + 0x10 * 127 / 255, 0x20 * 127 / 255, 0xf0 * 127 / 255, rounded.
    assertThat(picture.pixel(11, 20)).isEqualTo(0xff48_1078);
    assertThat(picture.pixel(12, 20)).isEqualTo(0xff10_20f0);
    assertThat(picture.pixel(13, 20)).isEqualTo(0xffff_ffff);
    assertThat(picture.pixel(10, 21)).isEqualTo(0xff10_20f0);
    assertThat(gpu.device.screenshot(1)).isEmpty();
  }

  @Test
  void aCursorMovesAndMayStickOut() {
    gpu.ok(create(ID, Format.R8G8B8A8_UNORM, 64, 64));
    gpu.ok(attach(ID, RAM, 1 << 16));
    gpu.pixel((63 * 64 + 63) * 4L, 0xff33_2211);
    gpu.pixel(0, 0xffff_ffff);
    gpu.ok(transfer(ID, 0, 0, 0, 64, 64));
    gpu.ok(updateCursor(0, 0, 0, ID));
    // Loaded: what becomes of the resource does not matter.
    gpu.ok(unref(ID));
    gpu.ok(create(ID, FORMAT, WIDTH, HEIGHT));
    gpu.ok(setScanout(0, ID, 0, 0, WIDTH, HEIGHT));
    assertThat(gpu.picture(0).pixel(0, 0)).isEqualTo(0xffff_ffff);
    gpu.ok(moveCursor(0, -63, -63));
    assertThat(gpu.picture(0).pixel(0, 0)).isEqualTo(0xff11_2233);
    assertThat(gpu.picture(0).pixel(1, 0)).isEqualTo(BLACK);
    gpu.ok(moveCursor(0, WIDTH - 1, HEIGHT - 1));
    assertThat(gpu.picture(0).pixel(WIDTH - 1, HEIGHT - 1)).isEqualTo(0xffff_ffff);
    gpu.ok(moveCursor(0, Integer.MAX_VALUE, Integer.MIN_VALUE));
    assertThat(gpu.picture(0).argb()).containsOnly(BLACK);
    gpu.ok(moveCursor(0, 0, 0));
    gpu.ok(updateCursor(0, 0, 0, 0));
    assertThat(gpu.picture(0).argb()).containsOnly(BLACK);
  }

  // Resets.

  @Test
  void aResetClearsAll() {
    gpu.ok(createBlob(ID, 1 << 16, RAM, 1 << 16));
    gpu.ok(setScanoutBlob(0, ID, WIDTH, HEIGHT, FORMAT, WIDTH * 4, 0));
    gpu.ok(flush(ID, 0, 0, WIDTH, HEIGHT));
    gpu.ok(updateCursor(0, 1, 1, ID));
    gpu.host.reset(ResetKind.FUNCTION_LEVEL);
    assertThat(gpu.device.screenshot(0)).isEmpty();
    assertThat(gpu.device.hostBytes()).isZero();
    gpu.device.driverReady(GpuFixture.ALL);
    gpu.expect(flush(ID, 0, 0, WIDTH, HEIGHT), ResponseType.ERR_INVALID_RESOURCE_ID);
    gpu.ok(create(ID, FORMAT, WIDTH, HEIGHT));
    gpu.ok(setScanout(0, ID, 0, 0, WIDTH, HEIGHT));
    assertThat(gpu.picture(0).argb()).containsOnly(BLACK);
  }

  /** The job finds out at the next byte that it moves; what it has made by then nobody sees. */
  @Test
  void aResetInTheMiddleOfAFlushShowsNothing() {
    gpu.ok(createBlob(ID, 1 << 16, RAM, 1 << 16));
    gpu.ok(setScanoutBlob(0, ID, WIDTH, HEIGHT, FORMAT, WIDTH * 4 + 4, 0));
    AtomicInteger reads = new AtomicInteger();
    gpu.host.beforeTransfer(() -> {
      if (reads.incrementAndGet() == 2) {
        gpu.host.reset(ResetKind.FUNCTION_LEVEL);
      }
    });
    FakeRequest request = gpu.send(flush(ID, 0, 0, WIDTH, HEIGHT));
    assertThat(request.done()).isFalse();
    assertThat(reads).hasValue(2);
    assertThat(gpu.device.screenshot(0)).isEmpty();
  }
}
