package dev.peerbar.scenario.selftest;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.qemu.CpuModel;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.scenario.Environment;
import dev.peerbar.scenario.Fixture;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Place;
import dev.peerbar.scenario.Requirement;
import dev.peerbar.scenario.Run;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.PairFixture;
import dev.peerbar.scenario.fixture.ServedPair;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Two endpoints of a type, bound to vfio-pci, in a guest that has what the kernel's tests of vfio
 * ask for: 1 GiB to copy in and huge pages of both sizes (vfio_dma_mapping_test.c), and shared
 * memory in huge pages, without which 1 GiB of it is 262,144 mappings (vfio_pci_driver_test.c).
 */
final class SelftestPair implements Environment {
  private static final int SLOT_A = 1;
  private static final int SLOT_B = 2;
  private static final int MEMORY_GIB = 4;
  private static final String HUGE_PAGES =
      "hugepagesz=1G hugepages=1 hugepagesz=2M hugepages=16 default_hugepagesz=2M";
  private static final String SHARED_MEMORY = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

  private final ServedPair pair;
  private final Run run;

  private SelftestPair(ServedPair pair, Run run) {
    this.pair = pair;
    this.run = run;
  }

  @Override
  public Lab lab() {
    return pair.lab();
  }

  @Override
  public Run run() {
    return run;
  }

  /** Both, the one that is tested first. */
  List<PciDevice> functions() throws IOException {
    return List.of(lab().guest().pciInSlot(SLOT_A), lab().guest().pciInSlot(SLOT_B));
  }

  /** Makes a guest fit for the tests, as somebody would who is going to run them. */
  private static void prepare(Lab lab) throws IOException {
    if (GuestFeature.VFIO.missingIn(lab).isPresent()) {
      return; // nothing will be tried
    }
    Guest guest = lab.guest();
    if (guest.system().exists(SHARED_MEMORY)) {
      guest.system().writeText(SHARED_MEMORY, "always");
    }
    guest.pciInSlot(SLOT_A).bindVfio();
    guest.pciInSlot(SLOT_B).bindVfio();
  }

  /** A kind for each type of endpoint. */
  record Kind(TestedEndpoint type) implements FixtureKind<SelftestPair> {
    @Override
    public String name() {
      return "selftests-" + type.label();
    }

    @Override
    public List<Requirement> needs() {
      return List.of(GuestFeature.VFIO);
    }

    @Override
    public List<Setting> settings(Place place) {
      return List.of(
          new Setting(
              name(),
              place.topology(),
              place.viommu().orElse(Viommu.INTEL),
              CpuModel.AMD,
              "",
              HUGE_PAGES));
    }

    @Override
    public Fixture<SelftestPair> start(
        LabFiles files, Setting setting, UnaryOperator<VirtualMachine> machine, Path logs)
        throws IOException {
      String nameA = type.label() + "-a";
      String nameB = type.label() + "-b";
      TestedEndpoint.Made a = type.make(nameA);
      TestedEndpoint.Made b = type.make(nameB);
      ServedPair pair =
          ServedPair.boot(
              files,
              machine.apply(setting.machine().withMemory(MEMORY_GIB)),
              logs,
              new ServedPair.Named(nameA, a.endpoint()),
              new ServedPair.Named(nameB, b.endpoint()));
      PairFixture<SelftestPair> fixture =
          new PairFixture<>(
              pair,
              run -> new SelftestPair(pair, run),
              _ -> List.of(),
              Set.of(),
              () -> {
                a.behind().close();
                b.behind().close();
              });
      try {
        prepare(pair.lab());
        return fixture;
      } catch (IOException | RuntimeException e) {
        fixture.close();
        throw e;
      }
    }
  }
}
