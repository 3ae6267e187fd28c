package dev.peerbar.scenario.zone;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.disk.BlockDevice;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.guest.Race;
import dev.peerbar.lab.guest.Syscall;
import dev.peerbar.lab.uapi.VfioIoctls;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.DmaBufControl;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.MemoryDecoding;
import dev.peerbar.scenario.fixture.Pending;
import dev.peerbar.scenario.fixture.Refusals;
import dev.peerbar.scenario.fixture.nvme.HbmAndDisk;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/**
 * Struct pages of a BAR when the function is reset, closed, unbound: nobody may have them any more
 * then, neither a mapping nor a transfer that has them pinned.
 */
final class Lifecycle {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final Duration APART = Duration.ofMillis(2);
  private static final int ROUNDS = 8;
  private static final int EXPORTS = 6;

  /** Of the transfer that is held; and of those that race, more than is pinned at once. */
  private static final long TRANSFER = 1L << 20;

  /** What a reset that waits for pins has on its stack, whatever it is called there. */
  private static final String WAITING = "vfio_pci_dma_buf";

  private Lifecycle() {}

  static List<Scenario<?>> all() {
    return List.of(
        Transfers.on(
            "zone.reset",
            "reset A with struct pages mapped, of which a transfer had some pinned before",
            "the memory is as it was, all faults in again, transfers work",
            Lifecycle::reset),
        Transfers.on(
            "zone.decoding",
            "clear A's Memory Space Enable, and set it again",
            "SIGBUS, ENODEV, EFAULT for transfers; afterwards all works",
            Lifecycle::decoding),
        Transfers.on(
            "zone.pinned-reset",
            "reset A while a read of the disk into its memory is under way",
            "the reset waits for it; it ends well, every byte in A's memory; then A is reset",
            Lifecycle::pinnedReset),
        Transfers.on(
            "zone.pinned-close",
            "unmap and close the DMABUF, and A, while a read into its memory is under way",
            "the read ends well, every byte in A's memory, and A can be opened again",
            Lifecycle::pinnedClose),
        Transfers.on(
            "zone.closed",
            "close A with struct pages mapped, and open it again",
            "SIGBUS, ENODEV, EFAULT for ever; the same range can be exported anew",
            Lifecycle::closed),
        Transfers.on(
            "zone.unbind",
            "close A and unbind it from vfio-pci with struct pages mapped, and bind it again",
            "SIGBUS, ENODEV; the same range can be exported anew",
            Lifecycle::unbind),
        Transfers.on(
            "zone.again",
            "export the same range %d times, one after the other".formatted(EXPORTS),
            "each has its struct pages, and transfers work",
            Lifecycle::again),
        Transfers.on(
                "zone.revoke",
                "revoke a DMABUF with struct pages for ever",
                "SIGBUS, ENODEV, EBADFD, EFAULT for transfers; a BAR's mapping works as ever",
                Lifecycle::revoke)
            .needing(ZoneFeature.REVOKING),
        Transfers.on(
            "zone.race-reset",
            "read the disk into A's memory while A is reset, %d times".formatted(ROUNDS),
            "every byte or EFAULT, as chance has it; both end, and transfers work afterwards",
            Lifecycle::races));
  }

  private static String reset(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    try (Paged paged = Paged.of(pair)) {
      paged.checkTransfers(seed);
      Pattern.fill(paged.host(), seed + 1);
      int resets = pair.a().read(HbmRegisters.RESET_COUNT);
      Duration took = pair.device().vfio().reset();
      pair.run().record("reset with struct pages", took);
      int after = pair.a().read(HbmRegisters.RESET_COUNT);
      unless(after == resets + 1, "RESET_COUNT went from %d to %d", resets, after);
      var seen = paged.memory().verifyPattern(0, Paged.LENGTH, seed + 1);
      unless(seen.isEmpty(), "after the reset: %s", seen);
      paged.checkTransfers(seed + 2);
      paged.checkBothWays(seed + 3);
      return "the reset took %d ms".formatted(took.toMillis());
    }
  }

  private static String decoding(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    try (Paged paged = Paged.of(pair)) {
      paged.checkBothWays(seed);
      Pattern.fill(paged.host(), seed + 1);
      try (MemoryDecoding _ = MemoryDecoding.off(pair.device().vfio())) {
        paged.expectSigbus("while A's BARs are off");
        refuseAll(paged);
      }
      long mismatch = Pattern.mismatch(paged.host(), seed + 1);
      unless(mismatch == Paged.LENGTH, "A's memory changed at 0x%x", mismatch);
      paged.checkTransfers(seed + 2);
      try (GuestMemory later = paged.dmaBuf().map()) {
        Paged.checkBothWays(later, paged.host(), seed + 3);
      }
    }
    return "SIGBUS, ENODEV, EFAULT, and all of it back";
  }

  /** It can be neither mapped nor used for transfers. */
  private static void refuseAll(Paged paged) throws Exception {
    try (BlockDevice disk = paged.pair().drive().open()) {
      new Refusals()
          .refuse(Errno.ENODEV, "to map it", () -> paged.dmaBuf().map())
          .refuse(Errno.EFAULT, "to read into it", () -> disk.read(0, paged.memory(), 0, TRANSFER))
          .refuse(
              Errno.EFAULT, "to write from it", () -> disk.write(0, paged.memory(), 0, TRANSFER))
          .seen();
    }
  }

  private static String pinnedReset(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    pair.disk().fill(0, TRANSFER, seed);
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    try (Paged paged = Paged.of(pair);
        BlockDevice disk = pair.drive().open()) {
      Pattern.fill(paged.host(), ~seed);
      Pending read;
      Pending reset;
      Optional<String> where;
      try (HbmAndDisk.Hold _ = pair.hold()) {
        read = Pending.start("the read", () -> disk.read(0, paged.memory(), 0, TRANSFER));
        pair.awaitHeld(LIMIT);
        reset = Pending.start("the reset", () -> pair.device().vfio().reset());
        where = reset.awaitWithin(pair.guest(), WAITING, LIMIT);
        unless(!read.isOver(), "the read has ended, with the disk held");
      }
      read.await(LIMIT);
      reset.await(LIMIT);
      checkRead(paged, seed);
      int after = pair.a().read(HbmRegisters.RESET_COUNT);
      unless(after == resets + 1, "RESET_COUNT went from %d to %d", resets, after);
      paged.checkTransfers(seed + 1);
      return where.isPresent()
          ? "the reset waited, the read ended well"
          : "the read ended well; the kernel does not tell where the reset was";
    }
  }

  private static void checkRead(Paged paged, long seed) throws UnexpectedException {
    long mismatch = Pattern.mismatch(paged.host().asSlice(0, TRANSFER), seed);
    unless(mismatch == TRANSFER, "A's memory has not what was read, at 0x%x", mismatch);
  }

  private static String pinnedClose(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    pair.disk().fill(0, TRANSFER, seed);
    PciDevice pci = pair.device().vfio().pci();
    try (BlockDevice disk = pair.drive().open()) {
      Paged paged = Paged.of(pair);
      Pattern.fill(paged.host(), ~seed);
      Pending read;
      Pending close;
      try (HbmAndDisk.Hold _ = pair.hold()) {
        read = Pending.start("the read", () -> disk.read(0, paged.memory(), 0, TRANSFER));
        pair.awaitHeld(LIMIT);
        // Whether these wait for the read is the kernel's to choose; A's memory must not go first.
        close =
            Pending.start(
                "to unmap and close",
                () -> {
                  paged.close();
                  pair.device().close();
                });
        unless(!read.isOver(), "the read has ended, with the disk held");
      }
      read.await(LIMIT);
      close.await(LIMIT);
      checkRead(paged, seed);
    }
    exportAnew(pair, pci, seed + 1);
    return "the read ended well";
  }

  /** Opens A again: what was exported before must not be in the way. */
  private static void exportAnew(HbmAndDisk pair, PciDevice pci, long seed) throws Exception {
    try (GuestDevice device = pair.open(pci);
        Paged anew = Paged.of(pair, device)) {
      anew.checkBothWays(seed);
      anew.checkTransfers(seed + 1);
      device.reset();
      anew.checkBothWays(seed + 2);
    }
  }

  private static String closed(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    PciDevice pci = pair.device().vfio().pci();
    try (Paged paged = Paged.of(pair)) {
      paged.checkTransfers(seed);
      pair.device().close();
      paged.expectSigbus("after A was closed");
      refuseAll(paged);
      exportAnew(pair, pci, seed + 1);
      paged.expectSigbus("after A was opened again");
      refuseAll(paged);
    }
    return "SIGBUS, ENODEV, EFAULT; a new one works";
  }

  private static String unbind(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    PciDevice pci = pair.device().vfio().pci();
    try (Paged paged = Paged.of(pair)) {
      paged.checkTransfers(seed);
      pair.device().close();
      pci.unbindVfio();
      paged.expectSigbus("after A was unbound");
      exportAnew(pair, pci, seed + 1);
      paged.expectSigbus("after A was bound again");
      refuseAll(paged);
    }
    return "SIGBUS, ENODEV, EFAULT; a new one works";
  }

  private static String again(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    for (int i = 0; i < EXPORTS; i++) {
      if (i % 2 == 0) {
        try (Paged paged = Paged.of(pair);
            BlockDevice disk = pair.drive().open()) {
          paged.checkTransfer(disk, new Paged.Transfer(0, 0, TRANSFER), seed + i);
        }
      } else {
        // One that nobody has touched.
        try (DmaBuf untouched = Paged.export(pair.device())) {
          untouched.map().close();
        }
      }
    }
    return "%d exports".formatted(EXPORTS);
  }

  private static String revoke(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    DmaBufControl control = DmaBufControl.of(pair.device().vfio());
    try (Paged paged = Paged.of(pair);
        GuestMemory bar =
            pair.device().vfio().mmapBar(HbmRegisters.MEMORY_BAR, Paged.OFFSET, Paged.LENGTH)) {
      paged.checkTransfers(seed);
      control.revoke(paged.dmaBuf().fd());
      for (int round = 0; round < 2; round++) {
        paged.expectSigbus("of what was revoked");
        refuseAll(paged);
        Refusals.refused(
            Errno.EBADFD, "to revoke it again", () -> control.revoke(paged.dmaBuf().fd()));
        Paged.checkBothWays(bar, paged.host(), seed + round);
        pair.device().reset();
      }
    }
    return "SIGBUS, ENODEV, EBADFD, EFAULT";
  }

  private static String races(HbmAndDisk pair) throws Exception {
    Random random = pair.run().random();
    int moved = 0;
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    try (Paged paged = Paged.of(pair);
        BlockDevice disk = pair.drive().open()) {
      for (int round = 0; round < ROUNDS; round++) {
        long seed = random.nextLong();
        pair.disk().fill(0, TRANSFER, seed);
        Race.Outcome outcome =
            Race.of(pair.guest())
                .racer(VfioIoctls.VFIO_DEVICE_RESET, () -> pair.device().vfio().reset())
                .racer(Syscall.PREAD64, () -> read(disk, paged))
                .staggered(random, APART)
                .run();
        for (Race.Finish finish : outcome.finishes()) {
          unless(finish.failure().isEmpty(), "%s", outcome);
        }
        unless(outcome.met(), "they did not meet:%n%s", outcome);
        if (outcome.finish(1).value(Boolean.class)) {
          checkRead(paged, seed);
          moved++;
        }
      }
      int after = pair.a().read(HbmRegisters.RESET_COUNT);
      unless(after == resets + ROUNDS, "RESET_COUNT went from %d to %d", resets, after);
      paged.checkTransfers(pair.run().seed());
    }
    pair.run().record("reads that a reset let through", moved);
    return "%d of %d reads".formatted(moved, ROUNDS);
  }

  /** Whether all was read: otherwise some of it may have been, before the pages went. */
  private static boolean read(BlockDevice disk, Paged paged) throws IOException {
    try {
      return disk.tryRead(0, paged.memory(), 0, TRANSFER) == TRANSFER;
    } catch (GuestErrnoException e) {
      if (e.is(Errno.EFAULT)) {
        return false;
      }
      throw e;
    }
  }
}
