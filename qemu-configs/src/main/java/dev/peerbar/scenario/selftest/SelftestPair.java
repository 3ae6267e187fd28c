package dev.peerbar.scenario.selftest;

import dev.peerbar.endpoint.Endpoint;
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
import dev.peerbar.scenario.fixture.ServedPair;
import dev.peerbar.server.EndpointServer;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
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
  private final List<PciDevice> functions;

  private SelftestPair(ServedPair pair, Run run, List<PciDevice> functions) {
    this.pair = pair;
    this.run = run;
    this.functions = functions;
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
  List<PciDevice> functions() {
    return functions;
  }

  private record Booted(ServedPair pair, List<Closeable> behind) implements Fixture<SelftestPair> {
    @Override
    public Lab lab() {
      return pair.lab();
    }

    @Override
    public List<EndpointServer> servers() {
      return List.of(pair.serverA(), pair.serverB());
    }

    @Override
    public SelftestPair open(Run run) throws IOException {
      Guest guest = lab().guest();
      return new SelftestPair(pair, run, List.of(guest.pciInSlot(SLOT_A), guest.pciInSlot(SLOT_B)));
    }

    /** Makes the guest fit for the tests, as somebody would who is going to run them. */
    void prepare() throws IOException {
      if (GuestFeature.VFIO.missingIn(lab()).isPresent()) {
        return; // nothing will be tried
      }
      Guest guest = lab().guest();
      if (guest.system().exists(SHARED_MEMORY)) {
        guest.system().writeText(SHARED_MEMORY, "always");
      }
      guest.pciInSlot(SLOT_A).bindVfio();
      guest.pciInSlot(SLOT_B).bindVfio();
    }

    @Override
    public List<String> release(SelftestPair environment) {
      return List.of();
    }

    @Override
    public void close() throws IOException {
      try {
        pair.close();
      } finally {
        for (Closeable it : behind) {
          it.close();
        }
      }
    }
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
      TestedEndpoint.Made a = type.make();
      TestedEndpoint.Made b = type.make();
      Booted booted =
          new Booted(
              ServedPair.boot(
                  files,
                  machine.apply(setting.machine().withMemory(MEMORY_GIB)),
                  logs,
                  named("a", a.endpoint()),
                  named("b", b.endpoint())),
              List.of(a.behind(), b.behind()));
      try {
        booted.prepare();
        return booted;
      } catch (IOException | RuntimeException e) {
        booted.close();
        throw e;
      }
    }

    private ServedPair.Named named(String which, Endpoint endpoint) {
      return new ServedPair.Named(type.label() + "-" + which, endpoint);
    }
  }
}
