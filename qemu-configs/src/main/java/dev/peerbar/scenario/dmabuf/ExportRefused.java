package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.uapi.VfioIoctls;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.uapi.VfioRegionInfo;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;

/** What VFIO_DEVICE_FEATURE_DMA_BUF refuses, row by row. */
final class ExportRefused {
  private static final long PAGE = 4096;
  private static final int GET = 1 << 16;
  private static final int SET = 1 << 17;
  private static final int PROBE = 1 << 18;
  private static final int DMA_BUF = 11;

  /** Offsets in {@code struct vfio_device_feature} with a request for a DMABUF. */
  private static final int ARGSZ = 0;

  private static final int FEATURE = 4;
  private static final int REGION = 8;
  private static final int FLAGS = 16;
  private static final int RANGES = 20;

  /** Of the structures before the ranges. */
  private static final int HEAD = 24;

  private ExportRefused() {}

  static List<Scenario<?>> all() {
    List<Scenario<?>> all = new ArrayList<>();
    all.add(
        Case.on(
                HbmPair.KIND,
                "dmabuf.export.refused-ranges",
                "export ranges that are empty, not of whole pages, beyond A's BAR or too long",
                "EINVAL, or EOVERFLOW where an address overflows; no DMABUF is left",
                pair -> counting(pair, ExportRefused::ranges))
            .needing(GuestFeature.DMABUF_EXPORT));
    all.add(
        Case.on(
                HbmPair.KIND,
                "dmabuf.export.refused-regions",
                "export a BAR that A has not got, its ROM, its config space, and no region at all",
                "ENODEV; no DMABUF is left",
                pair -> counting(pair, ExportRefused::regions))
            .needing(GuestFeature.DMABUF_EXPORT));
    all.add(
        Case.on(
                HbmPair.KIND,
                "dmabuf.export.refused-calls",
                "ask for a DMABUF in a wrong way: SET, flags, no ranges, too few bytes, bad pointers",
                "EINVAL, EFAULT or ENOTTY by its reason; to PROBE is 0; no DMABUF is left",
                pair -> counting(pair, ExportRefused::calls))
            .needing(GuestFeature.DMABUF_EXPORT));
    all.add(
        Case.on(
                HbmPair.LARGE,
                "dmabuf.export.refused-ports",
                "export a BAR of I/O ports, of a device of QEMU's own",
                "EINVAL, while its memory BAR can be exported",
                ExportRefused::ports)
            .needing(GuestFeature.DMABUF_EXPORT));
    return List.copyOf(all);
  }

  private interface Rows {
    String refuse(HbmPair pair) throws Exception;
  }

  private static String counting(HbmPair pair, Rows rows) throws Exception {
    int before = pair.guest().system().dmaBufs().size();
    String seen = rows.refuse(pair);
    int after = pair.guest().system().dmaBufs().size();
    unless(after == before, "%d DMABUFs, %d before", after, before);
    return seen;
  }

  /** A request that is valid until it is changed. */
  private static final class Request {
    private final ByteBuffer bytes;

    private Request(VfioRegionDmaRange... ranges) {
      bytes =
          ByteBuffer.wrap(
                  new VfioDeviceFeatureDmaBuf(VfioPciRegion.BAR2, 02, Arrays.asList(ranges))
                      .encode())
              .order(ByteOrder.LITTLE_ENDIAN);
    }

    static Request valid() {
      return new Request(new VfioRegionDmaRange(0, PAGE));
    }

    Request with(int offset, int value) {
      bytes.putInt(offset, value);
      return this;
    }

    Refusals.Call of(HbmPair pair) {
      return of(pair, pair.deviceA().vfio());
    }

    Refusals.Call of(HbmPair pair, VfioDevice vfio) {
      return () -> ask(pair.guest().system(), vfio, bytes.array());
    }
  }

  private static void ask(GuestSystem system, VfioDevice vfio, byte[] argument) throws IOException {
    system.ioctl(vfio.fd(), VfioIoctls.VFIO_DEVICE_FEATURE, argument);
  }

  private static Refusals.Call of(HbmPair pair, long offset, long length) {
    return new Request(new VfioRegionDmaRange(offset, length)).of(pair);
  }

  private static String ranges(HbmPair pair) throws Exception {
    long bar = HbmPair.BAR_SIZE;
    VfioRegionDmaRange page = new VfioRegionDmaRange(0, PAGE);
    Refusals refusals = new Refusals();
    refusals
        .refuse(Errno.EINVAL, "length 0", of(pair, 0, 0))
        .refuse(Errno.EINVAL, "half a page", of(pair, 0, PAGE / 2))
        .refuse(Errno.EINVAL, "an offset of half a page", of(pair, PAGE / 2, PAGE))
        .refuse(Errno.EINVAL, "a page behind the end", of(pair, bar, PAGE))
        .refuse(Errno.EINVAL, "the last page and one more", of(pair, bar - PAGE, 2 * PAGE))
        .refuse(Errno.EINVAL, "a page too much", of(pair, 0, bar + PAGE))
        // The end of the range, and its start, as addresses of the bus.
        .refuse(Errno.EOVERFLOW, "an end that overflows", of(pair, -2 * PAGE, PAGE))
        .refuse(Errno.EINVAL, "a length with bit 63", of(pair, 0, Long.MIN_VALUE))
        .refuse(
            Errno.EINVAL,
            "lengths whose sum overflows",
            new Request(
                    new VfioRegionDmaRange(0, Long.MIN_VALUE),
                    new VfioRegionDmaRange(0, Long.MIN_VALUE))
                .of(pair))
        .refuse(
            Errno.EINVAL,
            "lengths whose sum has bit 63",
            new Request(new VfioRegionDmaRange(0, 1L << 62), new VfioRegionDmaRange(0, 1L << 62))
                .of(pair))
        .refuse(
            Errno.EINVAL,
            "a good range and an empty one",
            new Request(page, new VfioRegionDmaRange(PAGE, 0)).of(pair))
        .refuse(
            Errno.EINVAL,
            "a good range and one beyond the BAR",
            new Request(page, new VfioRegionDmaRange(bar, PAGE)).of(pair));
    return refusals.seen();
  }

  private static String regions(HbmPair pair) throws Exception {
    Refusals refusals = new Refusals();
    // A has BARs 0, 2 and 4; its memory is 64 bits wide and takes the registers of BAR 3, too.
    for (int index : new int[] {1, 3, 5, 6, 7, 8, 9, 64, 1 << 16, -1}) {
      refusals.refuse(
          Errno.ENODEV,
          "region " + Integer.toUnsignedString(index),
          Request.valid().with(REGION, index).of(pair));
    }
    return refusals.seen();
  }

  private static String calls(HbmPair pair) throws Exception {
    GuestSystem system = pair.guest().system();
    VfioDevice vfio = pair.deviceA().vfio();
    ask(system, vfio, VfioDeviceFeatureDmaBuf.probe());
    Refusals refusals = new Refusals();
    refusals
        .refuse(Errno.EINVAL, "SET", Request.valid().with(FEATURE, SET | DMA_BUF).of(pair))
        .refuse(
            Errno.EINVAL,
            "GET and SET",
            Request.valid().with(FEATURE, GET | SET | DMA_BUF).of(pair))
        .refuse(Errno.EINVAL, "neither", Request.valid().with(FEATURE, DMA_BUF).of(pair))
        .refuse(
            Errno.EINVAL,
            "PROBE with SET",
            Request.valid().with(FEATURE, PROBE | SET | DMA_BUF).of(pair))
        .refuse(
            Errno.EINVAL,
            "an unknown operation",
            Request.valid().with(FEATURE, 1 << 19 | GET | DMA_BUF).of(pair))
        .refuse(
            Errno.ENOTTY,
            "an unknown feature",
            Request.valid().with(FEATURE, GET | 0xffff).of(pair))
        .refuse(Errno.EINVAL, "no ranges", Request.valid().with(RANGES, 0).of(pair))
        .refuse(Errno.EINVAL, "the highest flag", Request.valid().with(FLAGS, 1 << 31).of(pair))
        .refuse(Errno.EINVAL, "argsz without flags", Request.valid().with(ARGSZ, 7).of(pair))
        .refuse(Errno.EINVAL, "argsz of the header", Request.valid().with(ARGSZ, 8).of(pair))
        .refuse(
            Errno.EINVAL,
            "argsz without the number of ranges",
            Request.valid().with(ARGSZ, HEAD - 1).of(pair));
    pointers(pair, refusals);
    return refusals.seen();
  }

  /** Arguments that end where nothing is mapped. */
  private static void pointers(HbmPair pair, Refusals refusals) throws IOException {
    GuestSystem system = pair.guest().system();
    long address =
        system.mmap(
            2 * PAGE, Protection.READ_WRITE, EnumSet.of(MapFlag.PRIVATE, MapFlag.ANONYMOUS), -1, 0);
    long end = address + PAGE;
    system.munmap(end, PAGE);
    try {
      byte[] request = Request.valid().bytes.array();
      for (int there : new int[] {0, 4, 8, HEAD - 4, HEAD, request.length - 1}) {
        system.agent().write(end - there, Arrays.copyOf(request, there));
        refusals.refuse(
            Errno.EFAULT,
            "%d bytes of %d".formatted(there, request.length),
            () ->
                system.ioctl(
                    pair.deviceA().vfio().fd(), VfioIoctls.VFIO_DEVICE_FEATURE, end - there));
      }
    } finally {
      system.munmap(address, PAGE);
    }
  }

  private static String ports(HbmPair pair) throws Exception {
    PciDevice pci = pair.guest().pciInSlot(HbmPair.PORTS_SLOT);
    VfioDevice vfio = pair.open(pci).vfio();
    VfioRegionInfo memory = vfio.region(VfioPciRegion.BAR0);
    VfioRegionInfo ports = vfio.region(VfioPciRegion.BAR1);
    unless(memory.canMap() && ports.size() > 0 && !ports.canMap(), "BAR 0 %s, 1 %s", memory, ports);
    vfio.exportDmabuf(0, 0, PAGE).close();
    return new Refusals()
        .refuse(
            Errno.EINVAL,
            "BAR 1",
            Request.valid().with(REGION, VfioPciRegion.BAR1.index()).of(pair, vfio))
        .seen();
  }
}
