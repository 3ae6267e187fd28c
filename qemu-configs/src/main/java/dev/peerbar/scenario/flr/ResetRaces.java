package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.Race;
import dev.peerbar.lab.guest.Syscall;
import dev.peerbar.lab.uapi.IommufdIoctls;
import dev.peerbar.lab.uapi.VfioIoctls;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.AmdIommu;
import dev.peerbar.scenario.fixture.HbmPair;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/**
 * A reset of A at the same time as another call. Which of them comes first is chance; what holds
 * either way is asserted, and how often they overlapped is recorded.
 */
final class ResetRaces {
  /** Each takes a reset, and the 100 ms that a kernel waits for a function after that. */
  private static final int ROUNDS = 8;

  private static final Duration APART = Duration.ofNanos(400_000);

  private ResetRaces() {}

  static List<Scenario<?>> all() {
    return List.of(
        race(
            "race-export",
            "reset A while its memory is being exported",
            "both end well, the DMABUF can be mapped and is A's memory",
            ResetRaces::export),
        race(
            "race-import",
            "reset A while a DMABUF of it is being mapped",
            "it is mapped, dead or alive, or refused with ENODEV; and can be mapped afterwards",
            ResetRaces::importing),
        race(
            "race-unmap",
            "reset A while a mapping of its memory is taken away",
            "both end well, and the DMABUF can be mapped again",
            ResetRaces::unmap),
        race(
            "race-close",
            "reset A while a DMABUF of it is being closed",
            "both end well, another export works",
            ResetRaces::close),
        race(
                "race-detach",
                "reset A while B loses its IOAS",
                "both end well, B works when it has it again",
                ResetRaces::detach)
            .needing(AmdIommu.LATE_ATTACHMENT),
        race(
                "race-attach",
                "reset A while B gets its IOAS back, with a DMABUF of A in it",
                "both end well, the DMABUF is revoked, and B works",
                ResetRaces::attach)
            .needing(AmdIommu.LATE_ATTACHMENT),
        race(
            "race-twice",
            "reset A from two threads",
            "both end well, RESET_COUNT goes up by two",
            ResetRaces::twice),
        race(
            "race-config-bit",
            "reset A while its FLR bit is set through vfio-pci",
            "both end well, RESET_COUNT goes up by two",
            ResetRaces::configBit),
        race(
            "race-sysfs",
            "reset A through vfio-pci and through sysfs",
            "vfio-pci's ends well or with EAGAIN, sysfs's well; RESET_COUNT counts those that did",
            ResetRaces::sysfs),
        race(
            "race-both",
            "reset A and B at once",
            "both end well, RESET_COUNT of each goes up by one, and both work",
            ResetRaces::both));
  }

  /** One round, from an A that is well to an A that is well. */
  @FunctionalInterface
  private interface Round {
    Race.Outcome run(Table table) throws Exception;
  }

  /** What the rounds of a scenario have in common. */
  private record Table(HbmPair pair, Random random, SmallCopy copy) {
    VfioDevice a() {
      return pair.deviceA().vfio();
    }

    Race resetting() {
      return Race.of(pair.guest()).racer(VfioIoctls.VFIO_DEVICE_RESET, () -> a().reset());
    }

    Race.Outcome run(Race race) throws Exception {
      return race.staggered(random, APART).run();
    }

    /** A's memory can be exported anew, and reached. */
    void copyToAnotherExport() throws Exception {
      try (Lent lent = Lent.of(pair, SmallCopy.LENGTH)) {
        copy.right(lent.iova());
      }
    }
  }

  private static Case<HbmPair> race(String name, String does, String expects, Round round) {
    return Case.on(
            HbmPair.KIND,
            "flr." + name,
            "%s, %d times".formatted(does, ROUNDS),
            expects,
            pair -> {
              Table table = new Table(pair, pair.run().random(), new SmallCopy(pair));
              int overlapped = 0;
              for (int i = 0; i < ROUNDS; i++) {
                Race.Outcome race = round.run(table);
                unless(race.met(), "they did not meet:%n%s", race);
                overlapped += race.overlapped() ? 1 : 0;
              }
              pair.run().record("overlapped", overlapped);
              return "%d of %d overlapped".formatted(overlapped, ROUNDS);
            })
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  private static int resetsOfA(Table table) throws Exception {
    return table.pair.a().read(HbmRegisters.RESET_COUNT);
  }

  /** All have ended well, and RESET_COUNT is what it was and so much more. */
  private static void checkWell(Table table, Race.Outcome race, int before, int more)
      throws Exception {
    for (Race.Finish finish : race.finishes()) {
      unless(finish.failure().isEmpty(), "%s", race);
    }
    checkCount(table, race, before, more);
  }

  private static void checkCount(Table table, Race.Outcome race, int before, int more)
      throws Exception {
    int after = resetsOfA(table);
    unless(after == before + more, "RESET_COUNT %d after %d:%n%s", after, before, race);
  }

  private static Race.Outcome export(Table table) throws Exception {
    int before = resetsOfA(table);
    Race.Outcome race =
        table.run(
            table
                .resetting()
                .racer(
                    VfioIoctls.VFIO_DEVICE_FEATURE,
                    () -> table.a().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, SmallCopy.LENGTH)));
    try (DmaBuf exported = race.finish(VfioIoctls.VFIO_DEVICE_FEATURE.name()).value(DmaBuf.class)) {
      checkWell(table, race, before, 1);
      var mapping = table.pair.ioas().mapFile(exported);
      table.copy.right(mapping.iova());
      table.pair.ioas().unmap(mapping);
    }
    return race;
  }

  private static Race.Outcome importing(Table table) throws Exception {
    int before = resetsOfA(table);
    try (Lent lent = Lent.of(table.pair, SmallCopy.LENGTH)) {
      lent.unmap();
      Race.Outcome race =
          table.run(table.resetting().racer(IommufdIoctls.IOMMU_IOAS_MAP_FILE, lent::map));
      Race.Finish mapping = race.finish(IommufdIoctls.IOMMU_IOAS_MAP_FILE.name());
      unless(race.finish(0).failure().isEmpty(), "%s", race);
      unless(mapping.failure().isEmpty() || failedWith(mapping, Errno.ENODEV), "%s", race);
      checkCount(table, race, before, 1);
      if (lent.isMapped()) {
        table.copy.rightOrFaulted(lent.iova());
        lent.unmap();
      }
      lent.map();
      table.copy.right(lent.iova());
      return race;
    }
  }

  private static Race.Outcome unmap(Table table) throws Exception {
    int before = resetsOfA(table);
    try (Lent lent = Lent.of(table.pair, SmallCopy.LENGTH)) {
      Race.Outcome race =
          table.run(table.resetting().racer(IommufdIoctls.IOMMU_IOAS_UNMAP, lent::unmap));
      checkWell(table, race, before, 1);
      lent.map();
      table.copy.right(lent.iova());
      return race;
    }
  }

  private static Race.Outcome close(Table table) throws Exception {
    int before = resetsOfA(table);
    DmaBuf exported = table.a().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, SmallCopy.LENGTH);
    Race.Outcome race = table.run(table.resetting().racer(Syscall.CLOSE, () -> exported.close()));
    checkWell(table, race, before, 1);
    table.copyToAnotherExport();
    return race;
  }

  private static Race.Outcome detach(Table table) throws Exception {
    int before = resetsOfA(table);
    VfioDevice b = table.pair.deviceB().vfio();
    Race.Outcome race =
        table.run(table.resetting().racer(VfioIoctls.VFIO_DEVICE_DETACH_IOMMUFD_PT, b::detach));
    b.attach(table.pair.ioas());
    checkWell(table, race, before, 1);
    table.copyToAnotherExport();
    return race;
  }

  private static Race.Outcome attach(Table table) throws Exception {
    int before = resetsOfA(table);
    VfioDevice b = table.pair.deviceB().vfio();
    Race.Outcome race;
    try (Lent lent = Lent.of(table.pair, SmallCopy.LENGTH)) {
      b.detach();
      race =
          table.run(
              table
                  .resetting()
                  .racer(
                      VfioIoctls.VFIO_DEVICE_ATTACH_IOMMUFD_PT, () -> b.attach(table.pair.ioas())));
      checkWell(table, race, before, 1);
      lent.expectCutOff(table.copy.out(), SmallCopy.LENGTH);
    }
    table.copyToAnotherExport();
    return race;
  }

  private static Race.Outcome twice(Table table) throws Exception {
    int before = resetsOfA(table);
    Race.Outcome race =
        table.run(
            table
                .resetting()
                .racer(
                    "again",
                    call -> call.is(VfioIoctls.VFIO_DEVICE_RESET),
                    () -> table.a().reset()));
    checkWell(table, race, before, 2);
    return race;
  }

  private static Race.Outcome configBit(Table table) throws Exception {
    int before = resetsOfA(table);
    Race.Outcome race =
        table.run(
            table
                .resetting()
                .racer(Syscall.PWRITE64, () -> table.pair.a().config().functionLevelReset()));
    checkWell(table, race, before, 2);
    return race;
  }

  private static Race.Outcome sysfs(Table table) throws Exception {
    int before = resetsOfA(table);
    Race.Outcome race =
        table.run(table.resetting().racer(Syscall.WRITE, () -> table.a().pci().reset()));
    Race.Finish asked = race.finish(0);
    unless(asked.failure().isEmpty() || failedWith(asked, Errno.EAGAIN), "%s", race);
    unless(race.finish(1).failure().isEmpty(), "%s", race);
    checkCount(table, race, before, asked.failure().isEmpty() ? 2 : 1);
    return race;
  }

  private static Race.Outcome both(Table table) throws Exception {
    int before = resetsOfA(table);
    int beforeB = table.pair.b().read(HbmRegisters.RESET_COUNT);
    VfioDevice b = table.pair.deviceB().vfio();
    Race.Outcome race =
        table.run(
            table.resetting().racer("B", call -> call.is(VfioIoctls.VFIO_DEVICE_RESET), b::reset));
    checkWell(table, race, before, 1);
    int afterB = table.pair.b().read(HbmRegisters.RESET_COUNT);
    unless(afterB == beforeB + 1, "B's RESET_COUNT %d after %d", afterB, beforeB);
    table.copyToAnotherExport();
    return race;
  }

  private static boolean failedWith(Race.Finish finish, Errno errno) {
    Optional<Throwable> failure = finish.failure();
    return failure.isPresent() && failure.get() instanceof GuestErrnoException e && e.is(errno);
  }
}
