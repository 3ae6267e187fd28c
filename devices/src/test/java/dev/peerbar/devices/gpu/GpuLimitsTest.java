package dev.peerbar.devices.gpu;

import static dev.peerbar.devices.gpu.GpuFixture.RAM;
import static dev.peerbar.devices.gpu.GpuFixture.attach;
import static dev.peerbar.devices.gpu.GpuFixture.create;
import static dev.peerbar.devices.gpu.GpuFixture.createBlob;
import static dev.peerbar.devices.gpu.GpuFixture.detach;
import static dev.peerbar.devices.gpu.GpuFixture.setScanout;
import static dev.peerbar.devices.gpu.GpuFixture.setScanoutBlob;
import static dev.peerbar.devices.gpu.GpuFixture.unref;
import static dev.peerbar.devices.gpu.ResponseType.ERR_OUT_OF_MEMORY;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/** What a driver can have at most, and that it has it again once it has given it back. */
class GpuLimitsTest {
  private static final Format FORMAT = Format.B8G8R8X8_UNORM;
  private static final GpuLimits SMALL = new GpuLimits(4, 100_000, 8);

  private final GpuFixture gpu = new GpuFixture(GpuConfig.DEFAULT, SMALL);

  @Test
  void thereAreSoManyResources() {
    for (int id = 1; id <= 4; id++) {
      gpu.ok(createBlob(id, 4096));
    }
    gpu.expect(createBlob(5, 4096), ERR_OUT_OF_MEMORY);
    gpu.expect(create(5, FORMAT, 1, 1), ERR_OUT_OF_MEMORY);
    gpu.ok(unref(2));
    gpu.ok(create(5, FORMAT, 1, 1));
  }

  @Test
  void thereIsSoMuchMemoryForPixels() {
    gpu.ok(create(1, FORMAT, 100, 100));
    gpu.ok(create(2, FORMAT, 100, 100));
    gpu.expect(create(3, FORMAT, 100, 100), ERR_OUT_OF_MEMORY);
    // Rows of one pixel need more than their pixels.
    gpu.expect(create(3, FORMAT, 1, 2000), ERR_OUT_OF_MEMORY);
    gpu.ok(unref(1));
    gpu.ok(create(3, FORMAT, 100, 100));
    gpu.ok(unref(2));
    gpu.ok(unref(3));
    assertThat(gpu.device.hostBytes()).isZero();
  }

  @Test
  void whatIsRefusedIsNotAllocatedFirst() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    gpu.expect(create(1, FORMAT, 8192, 1024), ERR_OUT_OF_MEMORY);
    long before = threads.getCurrentThreadAllocatedBytes();
    gpu.expect(create(1, FORMAT, 8192, 1024), ERR_OUT_OF_MEMORY);
    assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(4 << 20);
  }

  @Test
  void whatOutputsShowCounts() {
    gpu.ok(createBlob(1, 0xffff_ffffL, RAM, 0xffff_ffffL));
    gpu.expect(setScanoutBlob(0, 1, 16384, 16384, FORMAT, 65536, 0), ERR_OUT_OF_MEMORY);
    assertThat(gpu.device.screenshot(0)).isEmpty();
    gpu.ok(setScanoutBlob(0, 1, 150, 150, FORMAT, 600, 0));
    long shown = gpu.device.hostBytes();
    gpu.expect(setScanoutBlob(0, 1, 200, 200, FORMAT, 800, 0), ERR_OUT_OF_MEMORY);
    assertThat(gpu.picture(0).width()).isEqualTo(150);
    assertThat(gpu.device.hostBytes()).isEqualTo(shown);
    // One of a size takes the other's place.
    gpu.ok(setScanoutBlob(0, 1, 149, 150, FORMAT, 600, 0));
    gpu.expect(create(2, FORMAT, 100, 100), ERR_OUT_OF_MEMORY);
    gpu.ok(unref(1));
    assertThat(gpu.device.hostBytes()).isZero();
  }

  @Test
  void aBackingHasSoManyEntries() {
    gpu.ok(create(1, FORMAT, 1, 1));
    long[] nine = new long[18];
    long[] eight = new long[16];
    gpu.expect(attach(1, nine), ERR_OUT_OF_MEMORY);
    gpu.expect(createBlob(2, 1, nine), ERR_OUT_OF_MEMORY);
    gpu.ok(attach(1, eight));
  }

  @Test
  void listsOfEntriesCount() {
    GpuFixture roomy = new GpuFixture(GpuConfig.DEFAULT, new GpuLimits(99, 100_000, 4000));
    long[] entries = new long[8000];
    roomy.ok(createBlob(1, 1));
    roomy.ok(createBlob(2, 1));
    entries[1] = 1;
    roomy.ok(attach(1, entries));
    roomy.expect(attach(2, entries), ERR_OUT_OF_MEMORY);
    roomy.ok(detach(1));
    assertThat(roomy.device.hostBytes()).isZero();
    roomy.ok(attach(2, entries));
    // One that is refused has not been counted.
    long before = roomy.device.hostBytes();
    roomy.expect(attach(1, 0, 0), ResponseType.ERR_INVALID_PARAMETER);
    assertThat(roomy.device.hostBytes()).isEqualTo(before);
    roomy.ok(unref(2));
    assertThat(roomy.device.hostBytes()).isZero();
  }

  /** More than one piece of what a list is read in. */
  @Test
  void aLongListIsReadToItsEnd() {
    GpuFixture roomy = new GpuFixture(GpuConfig.DEFAULT);
    int count = PixelReader.PIECE_BYTES / 16 + 100;
    long[] entries = new long[2 * count];
    for (int i = 0; i < count; i++) {
      // The other way round, so that no two are neighbours.
      entries[2 * i] = RAM + (count - 1 - i) * 4L;
      entries[2 * i + 1] = 4;
    }
    roomy.ok(createBlob(1, count * 4L, entries));
    roomy.ok(setScanoutBlob(0, 1, 1, 1, FORMAT, 4, (count - 1) * 4));
    roomy.pixel(0, 0x12_3456);
    roomy.ok(GpuFixture.flush(1, 0, 0, 1, 1));
    assertThat(roomy.picture(0).pixel(0, 0)).isEqualTo(0xff12_3456);
  }

  @Test
  void theLargestResourceThatThereCanBe() {
    GpuFixture large = new GpuFixture(GpuConfig.DEFAULT, new GpuLimits(4, 20L << 20, 8));
    large.ok(create(1, FORMAT, 16384, 256));
    large.ok(attach(1, RAM, 16 << 20));
    large.ok(GpuFixture.transfer(1, 0, 0, 0, 16384, 256));
    large.expect(setScanout(0, 1, 0, 0, 16384, 256), ERR_OUT_OF_MEMORY);
  }
}
