package dev.peerbar.scenario.iommufd;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.lab.boot.RefusedAccesses;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.AmdIommu;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Refusals;
import dev.peerbar.scenario.fixture.Wait;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** How an import is taken out of an IOAS, and how not. */
final class Unmaps {
  private static final long PAGE = 4096;
  private static final long LENGTH = 1L << 20;
  private static final long COPIED = 8L << 20;

  /** More than the channel has done before the unmap comes, by far; one more fits into its ring. */
  private static final int COPIES = 30;

  private Unmaps() {}

  static List<Scenario<?>> all() {
    return List.of(
        of(
            "unmap-part",
            "unmap parts of an import, nothing, and more than the import",
            "parts are ENOENT and stay mapped; more takes the import away",
            Unmaps::part),
        of(
                "split-refused",
                "cut an import as type1 would (VFIO_IOMMU_UNMAP_DMA with small pages)",
                "EOPNOTSUPP at either end, while guest memory is cut",
                Unmaps::split)
            .needing(AmdIommu.LATE_ATTACHMENT),
        of(
            "unmap-while-copying",
            "unmap an import that B is copying into",
            "the unmap returns, B faults, and nothing is written afterwards",
            Unmaps::whileCopying));
  }

  private static Case<HbmPair> of(
      String name, String does, String expects, Case.Body<HbmPair> body) {
    return Case.on(HbmPair.KIND, "iommufd." + name, does, expects, body)
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  private static String part(HbmPair pair) throws Exception {
    Ioas ioas = pair.ioas();
    DmaRange memory = pair.allocate(LENGTH, 0);
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      Ioas.Mapping mapping = ioas.mapFileAt(dmaBuf, 1L << 36);
      long iova = mapping.iova();
      String seen =
          new Refusals()
              .refuse(Errno.ENOENT, "the first page", () -> ioas.unmap(iova, PAGE))
              .refuse(Errno.ENOENT, "the last", () -> ioas.unmap(iova + LENGTH - PAGE, PAGE))
              .refuse(Errno.ENOENT, "one amid", () -> ioas.unmap(iova + LENGTH / 2, PAGE))
              .refuse(
                  Errno.ENOENT, "all but the first", () -> ioas.unmap(iova + PAGE, LENGTH - PAGE))
              .refuse(
                  Errno.ENOENT,
                  "from before, half",
                  () -> ioas.unmap(iova - LENGTH, LENGTH * 3 / 2))
              .refuse(Errno.ENOENT, "what is not mapped", () -> ioas.unmap(iova + LENGTH, PAGE))
              .refuse(Errno.EINVAL, "length 0", () -> ioas.unmap(iova, 0))
              .refuse(Errno.EOVERFLOW, "an end that overflows", () -> ioas.unmap(-PAGE, 2 * PAGE))
              .seen();
      Reach.check(pair, iova, 0, memory);
      long unmapped = ioas.unmap(iova - PAGE, LENGTH + 2 * PAGE);
      unless(unmapped == LENGTH, "0x%x bytes went", unmapped);
      Reach.expectFault(pair, iova);
      return seen;
    }
  }

  private static String split(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, LENGTH);
    try (OtherIoas other = OtherIoas.of(pair);
        DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      Ioas ioas = other.ioas();
      ioas.forbidHugePages();
      Ioas.Mapping plain = ioas.copyAt(pair.ioas(), memory.iova(), LENGTH);
      Ioas.Mapping mapping = other.keep(ioas.mapFileAt(dmaBuf, 1L << 36));
      other.attach();
      long iova = mapping.iova();
      String seen =
          new Refusals()
              .refuse(Errno.EOPNOTSUPP, "the first page", () -> ioas.unmapAsType1(iova, PAGE))
              .refuse(
                  Errno.EOPNOTSUPP, "the last", () -> ioas.unmapAsType1(iova + LENGTH - PAGE, PAGE))
              .refuse(Errno.EOPNOTSUPP, "two amid", () -> ioas.unmapAsType1(iova + PAGE, 2 * PAGE))
              .seen();
      Reach.check(pair, iova, 0, memory);
      ioas.unmapAsType1(plain.iova(), PAGE);
      long rest = ioas.unmap(plain);
      unless(rest == LENGTH - PAGE, "0x%x bytes were left of guest memory", rest);
      return seen + "; a page of guest memory cut off";
    }
  }

  private static String whileCopying(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(COPIED, 0);
    Pattern.fill(memory, pair.run().seed());
    MemorySegment host = pair.memoryOfA().asSlice(0, COPIED).fill((byte) 0);
    HbmChannel channel = pair.initiator().channel();
    Import peer = pair.importOfA(COPIED);
    // A write that was on its way to QEMU may meet what is there no longer.
    pair.run()
        .mayComplain(
            RefusedAccesses.writes(pair.deviceB().vfio().pci(), peer.iova(), peer.length()));
    try (peer) {
      List<Descriptor> copies = new ArrayList<>();
      for (int i = 0; i < COPIES; i++) {
        copies.add(Initiator.copying(memory.iova(), peer.iova(), COPIED));
      }
      channel.submit(copies);
      long last = COPIED / 4;
      Wait.until(
          () -> host.get(ValueLayout.JAVA_LONG, last) != 0,
          Initiator.LIMIT,
          "the first bytes of a copy");
    }
    // It has been unmapped: whatever was on its way has come by now.
    long after = Checksum.of(host);
    // If all copies were over before, this one meets it; halted, the channel takes no more.
    channel.submit(Initiator.copying(memory.iova(), peer.iova(), COPIED));
    pair.initiator().awaitFault();
    unless(channel.state() == ChannelState.HALTED, "B's channel is %s", channel.state());
    long done = channel.completed();
    long address = pair.b().faultAddress();
    unless(peer.contains(address), "B faulted at 0x%x", address);
    unless(Checksum.of(host) == after, "A's memory changed after the unmap");
    pair.initiator().restart();
    Reach.expectFault(pair, peer.iova());
    unless(Checksum.of(host) == after, "A's memory changed after the fault");
    return "B faulted 0x%x bytes into copy %d".formatted(address - peer.iova(), done + 1);
  }
}
