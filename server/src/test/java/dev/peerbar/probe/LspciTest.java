package dev.peerbar.probe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.pci.ConfigLayout;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Version;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.fixture.EverythingEndpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What probe prints beside what the real lspci makes of probe's dump.
 *
 * <p>They differ on purpose in two ways. Lines of regions: lspci knows no sizes of a dump, and
 * leaves a BAR out whose register is zero; probe goes on where lspci ends. And what vfio-user alone
 * knows, which follows the capabilities. All other lines are equal with the version of lspci that
 * probe has its words from; with another, the capabilities' places and names are.
 */
@Timeout(120)
final class LspciTest {
  private static final int FUNCTIONS = 200;
  private static final String REGION = "\tRegion ";
  private static final String OURS = "\t(IRQ |Features: |vfio-user: ).*";

  @TempDir private Path directory;

  @BeforeEach
  void isThere() {
    Lspci.needed();
  }

  /** What lspci too prints, but for regions. */
  private static List<String> common(List<String> ours) {
    return ours.stream()
        .takeWhile(line -> !line.matches(OURS))
        .filter(line -> !line.startsWith(REGION) && !line.startsWith("\t\tMappable"))
        .filter(line -> !line.startsWith("\t\tio"))
        .toList();
  }

  private void same(List<String> ours, List<String> theirs) throws Exception {
    if (Lspci.hasOurWords(directory)) {
      assertThat(ours).isEqualTo(theirs);
    } else {
      assertThat(names(ours)).isEqualTo(names(theirs));
    }
  }

  private static List<String> names(List<String> lines) {
    return lines.stream()
        .filter(line -> line.startsWith("\tCapabilities: "))
        .map(line -> line.replaceAll("(\\] [\\w-]+).*", "$1"))
        .toList();
  }

  @ParameterizedTest
  @EnumSource
  void anHbmEndpointIsTheSameInBoth(DoorbellMode doorbells) throws Exception {
    Path socket = directory.resolve("hbm.sock");
    HbmConfig config = new HbmConfig(1 << 20, 2, doorbells, false);
    try (EndpointServer _ =
        EndpointServer.start("hbm", new HbmEndpoint(config), new ListenAddress.AtPath(socket))) {
      for (String numbers : List.of("-n", "-i")) {
        boolean numeric = numbers.equals("-n");
        String dump =
            numeric ? Probe.of(socket, "-x", "-n").report() : Probe.of(socket, "-x").report();
        String ids = Probe.ids(socket).toString();
        List<String> theirs =
            numeric
                ? Lspci.read(directory, dump, "-vv", "-n", "-i", ids)
                : Lspci.read(directory, dump, "-vv", "-i", ids);
        List<String> ours = dump.lines().toList();
        assertThat(ours.getFirst())
            .isEqualTo(theirs.getFirst())
            .isEqualTo(
                numeric
                    ? "00:00.0 1200: 1234:7032 (rev 01)"
                    : "00:00.0 Processing accelerators: Example Vendor Example Accelerator (rev 01)");
        same(
            common(ours),
            theirs.stream().filter(line -> !line.isEmpty() && !line.startsWith(REGION)).toList());
        for (String region : theirs.stream().filter(line -> line.startsWith(REGION)).toList()) {
          assertThat(ours).anyMatch(line -> line.startsWith(region + " [size="));
        }
      }
    }
  }

  /** MSI, BARs of every type, vendor-specific capabilities, and chains around registers. */
  @Test
  void anEndpointThatHasEverythingIsTheSameInBoth() throws Exception {
    Path socket = directory.resolve("everything.sock");
    try (EndpointServer _ =
        EndpointServer.start(
            "everything", new EverythingEndpoint(), new ListenAddress.AtPath(socket))) {
      String dump = Probe.of(socket, "-x", "-n").report();
      List<String> theirs =
          Lspci.read(directory, dump, "-vv", "-n", "-i", Probe.ids(socket).toString());
      List<String> ours = dump.lines().toList();
      assertThat(names(ours))
          .containsExactly(
              "\tCapabilities: [40] Power",
              "\tCapabilities: [50] Express",
              "\tCapabilities: [90] MSI-X",
              "\tCapabilities: [a0] MSI",
              "\tCapabilities: [b8] Vendor",
              "\tCapabilities: [100 v2] Advanced",
              "\tCapabilities: [14c v1] Device",
              "\tCapabilities: [400 v1] Vendor");
      same(
          common(ours),
          theirs.stream().filter(line -> !line.isEmpty() && !line.startsWith(REGION)).toList());
      for (String region : theirs.stream().filter(line -> line.startsWith(REGION)).toList()) {
        assertThat(ours).anyMatch(line -> line.startsWith(region + " [size="));
      }
      assertThat(ours)
          .anyMatch(line -> line.contains("Region 0: Memory at <unassigned> (64-bit, non-pref"));
    }
  }

  @Test
  void theDumpIsTheSameAfterLspciHasReadIt() throws Exception {
    ConfigImage image = new ConfigImage(ConfigImage.SIZE).random(new Random(1), 0x40, 4096);
    image.capabilities(0x40).capability(0x40, ConfigLayout.Express.ID, 0);
    Path socket = directory.resolve("s");
    try (ScriptedServer _ = ScriptedServer.start(socket, image.array())) {
      String dump = Probe.of(socket, "-x").report();
      assertThat(hex(Lspci.read(directory, dump, "-xxxx"))).isEqualTo(hex(dump.lines().toList()));
      assertThat(hex(Lspci.read(directory, dump, "-xxx")))
          .isEqualTo(hex(Probe.of(socket, "-xxx").report().lines().toList()))
          .hasSize(16);
    }
  }

  private static List<String> hex(List<String> lines) {
    return lines.stream().filter(line -> line.matches("[0-9a-f]{2,3}:( [0-9a-f]{2}){16}")).toList();
  }

  /** Any values in the registers of any capabilities, linked in any order. */
  @Test
  void anyCapabilitiesAreTheSameInBoth() throws Exception {
    Random random = new Random(20);
    StringBuilder dumps = new StringBuilder();
    List<String> ours = new ArrayList<>();
    for (int i = 0; i < FUNCTIONS; i++) {
      Snapshot snapshot = snapshot(image(random).array());
      Identity identity = new Identity(new ConfigHeader(snapshot.config()), PciNames.none(), true);
      String slot = "%02x:00.0".formatted(i);
      String report =
          TextReport.of(snapshot, identity, OptionalInt.of(ConfigImage.SIZE))
              .replaceFirst("^00:00.0", slot);
      dumps.append(report);
      ours.addAll(common(report.lines().toList()).stream().skip(1).toList());
    }
    List<String> theirs =
        Lspci.read(directory, dumps.toString(), "-vv", "-n").stream()
            .filter(line -> line.startsWith("\t") && !line.startsWith(REGION))
            .toList();
    assertThat(names(theirs)).hasSizeGreaterThan(5 * FUNCTIONS);
    same(ours, theirs);
  }

  private static Snapshot snapshot(byte[] config) {
    return new Snapshot(
        new Version.Reply(0, 1, Capabilities.DEFAULTS),
        true,
        9,
        5,
        List.of(),
        new ConfigBytes(config),
        List.of(),
        Optional.empty(),
        List.of());
  }

  /** A function with all that probe decodes, now and then with a chain that is broken. */
  private static ConfigImage image(Random random) {
    int[] places = {0x40, 0x48, 0x60, 0x70, 0xb0, 0xc0};
    int[] ids = {
      ConfigLayout.PowerManagement.ID,
      ConfigLayout.Msi.ID,
      ConfigLayout.Msix.ID,
      ConfigLayout.Express.ID,
      ConfigLayout.VendorSpecific.ID,
      0x15 + random.nextInt(0xea)
    };
    ConfigImage image = new ConfigImage(ConfigImage.SIZE).random(random, 0x04, 0x08);
    image.random(random, 0x0c, 0x0e).random(random, 0x0f, ConfigImage.SIZE);
    image.capabilities(places[0]);
    // lspci takes no pin but A to D for one, and a 64-bit BAR 5 for an error.
    image.at(Header.INTERRUPT_PIN, random.nextInt(5)).dword(0x24, random.nextInt() & ~0xf);
    for (int i = 0; i < places.length; i++) {
      int next = i + 1 < places.length ? places[i + 1] : random.nextInt(4) == 0 ? 0x48 : 0;
      image.capability(places[i], ids[i], next);
    }
    int[] types = {Express.ENDPOINT, Express.LEGACY_ENDPOINT, Express.INTEGRATED_ENDPOINT};
    image.word(
        places[3] + 2,
        random.nextInt(0x10000) & ~0x1ff | types[random.nextInt(3)] << 4 | random.nextInt(4));
    image.extended(0x100, ConfigLayout.AdvancedErrorReporting.ID, 2, 0x150);
    image.extended(0x150, ConfigLayout.SerialNumber.ID, 1, 0x160);
    image.extended(0x160, ConfigLayout.VendorSpecificExtended.ID, 1, 0x180);
    return image.extended(
        0x180, 0x30 + random.nextInt(0x1000), random.nextInt(16), random.nextBoolean() ? 0x150 : 0);
  }
}
