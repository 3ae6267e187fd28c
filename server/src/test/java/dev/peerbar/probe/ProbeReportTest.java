package dev.peerbar.probe;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.Unpooled;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What probe prints of devices. */
@Timeout(120)
final class ProbeReportTest {
  /** All that a probe may ask. */
  private static final Set<Command> HARMLESS =
      Set.of(
          Command.VERSION,
          Command.DEVICE_GET_INFO,
          Command.DEVICE_GET_REGION_INFO,
          Command.DEVICE_GET_REGION_IO_FDS,
          Command.DEVICE_GET_IRQ_INFO,
          Command.REGION_READ,
          Command.DEVICE_FEATURE);

  @TempDir private Path directory;

  private Path socket() {
    return directory.resolve("s");
  }

  private EndpointServer hbm(DoorbellMode doorbells) throws Exception {
    HbmConfig config = new HbmConfig(1 << 20, 2, doorbells, false);
    return EndpointServer.start("hbm", new HbmEndpoint(config), new ListenAddress.AtPath(socket()));
  }

  /** Without what the server can do with any device: that is compared elsewhere. */
  private static String device(String report) {
    return report.replaceFirst("\\tFeatures: .*\\n", "");
  }

  @ParameterizedTest
  @EnumSource
  void anHbmEndpointAsText(DoorbellMode doorbells) throws Exception {
    try (EndpointServer _ = hbm(doorbells)) {
      Golden.matches(
          "hbm-%s.txt".formatted(doorbells).toLowerCase(Locale.ROOT),
          device(Probe.of(socket()).report()));
    }
  }

  @Test
  void everythingAsText() throws Exception {
    try (FullDevice _ = new FullDevice(socket())) {
      Golden.matches("everything.txt", Probe.of(socket(), "-xxx").report());
    }
  }

  @Test
  void everythingAsJson() throws Exception {
    try (FullDevice _ = new FullDevice(socket())) {
      String report = Probe.of(socket(), "--json").report();
      Golden.matches("everything.json", report.replace(socket().toString(), "PATH"));
    }
  }

  /** The names of members do not depend on the device. */
  @ParameterizedTest
  @EnumSource
  void jsonHasTheSameMembersForAnyDevice(DoorbellMode doorbells) throws Exception {
    JsonNode full;
    try (FullDevice _ = new FullDevice(socket())) {
      full = Probe.of(socket(), "--json").json();
    }
    Files.delete(socket());
    try (EndpointServer _ = hbm(doorbells)) {
      JsonNode hbm = Probe.of(socket(), "--json", "-x").json();
      assertThat(names(hbm)).isEqualTo(names(full));
      for (String object : List.of("protocol", "identity", "command", "status", "features")) {
        assertThat(names(hbm.get(object))).as(object).isEqualTo(names(full.get(object)));
      }
      for (String array : List.of("regions", "irqs", "capabilities")) {
        assertThat(hbm.get(array)).as(array).isNotEmpty();
        for (JsonNode element : hbm.get(array)) {
          assertThat(names(element)).as(array).isEqualTo(names(full.get(array).get(0)));
        }
      }
      assertThat(hbm.at("/regions/1/size").isNumber()).isTrue();
      assertThat(hbm.at("/regions/1/size").longValue()).isEqualTo(1 << 20);
      assertThat(hbm.at("/regions/0/mapping").textValue())
          .isEqualTo(doorbells == DoorbellMode.MAP ? "sparse" : "trapped");
      assertThat(hbm.at("/identity/device_id").textValue()).isEqualTo("7032");
      assertThat(hbm.get("config_space").textValue()).hasSize(2 * 4096).startsWith("34123270");
    }
  }

  private static Set<String> names(JsonNode node) {
    Set<String> names = new TreeSet<>();
    node.fieldNames().forEachRemaining(names::add);
    return names;
  }

  /** A second look by other means, at what the text does not compare. */
  @Test
  void whatIsSaidIsWhatTheServerSays() throws Exception {
    try (EndpointServer _ = hbm(DoorbellMode.TRAP)) {
      JsonNode probed = Probe.of(socket(), "--json", "-x").json();
      try (VfioUserClient client = VfioUserClient.connect(socket())) {
        client.negotiate(Capabilities.DEFAULTS);
        for (int i = 0; i < client.deviceInfo().numIrqs(); i++) {
          assertThat(probed.at("/irqs/%d/count".formatted(i)).intValue())
              .isEqualTo(client.irqInfo(i).count());
        }
        assertThat(probed.at("/features/migration/supported").booleanValue())
            .isEqualTo(offers(client, DeviceFeature.Feature.MIGRATION, DeviceFeature.GET));
        assertThat(probed.at("/features/dma_logging/supported").booleanValue())
            .isEqualTo(offers(client, DeviceFeature.Feature.DMA_LOGGING_START, DeviceFeature.SET));
        assertThat(probed.get("config_space").textValue())
            .isEqualTo(HexFormat.of().formatHex(client.regionRead(PciRegion.CONFIG, 0, 4096)));
      }
    }
  }

  private static boolean offers(VfioUserClient client, DeviceFeature.Feature feature, int method)
      throws Exception {
    try {
      client.deviceFeature(feature.index() | method | DeviceFeature.PROBE, Unpooled.EMPTY_BUFFER);
      return true;
    } catch (RemoteErrorException e) {
      return false;
    }
  }

  @Test
  void nothingIsWrittenAndNothingStaysOpen() throws Exception {
    try (FullDevice device = new FullDevice(socket())) {
      long before = OpenFiles.count();
      for (int i = 0; i < 20; i++) {
        Probe.of(socket(), "--json").report();
      }
      // The server has yet to see the last one go.
      Wire.await("all closed", () -> OpenFiles.count() == before);
      assertThat(device.server().received()).isNotEmpty().isSubsetOf(HARMLESS);
    }
  }

  @Test
  void aConventionalDeviceHas256Bytes() throws Exception {
    try (ScriptedServer _ = ScriptedServer.start(socket(), new ConfigImage(256).array())) {
      for (String option : List.of("-x", "-xxx", "-xxxx")) {
        assertThat(Probe.of(socket(), option).report().lines().filter(l -> l.matches("..: .*")))
            .hasSize(16);
      }
    }
  }

  /** Some servers read config space only as a processor does. */
  @Test
  void configSpaceIsReadInSmallPiecesIfNeeded() throws Exception {
    byte[] config = new ConfigImage(256).at(0xff, 0x5a).array();
    try (ScriptedServer server = ScriptedServer.start(socket(), config)) {
      server.on(
          Command.REGION_READ,
          (header, payload) -> {
            RegionRead.Request request = RegionRead.Request.decode(payload);
            if (request.count() > 4) {
              return new ScriptedServer.Refusal(Errno.EINVAL);
            }
            byte[] data = new byte[4];
            System.arraycopy(config, (int) request.offset(), data, 0, 4);
            return new ScriptedServer.Answer(
                new RegionRead.Reply(
                    request.offset(), request.region(), Unpooled.wrappedBuffer(data)));
          });
      assertThat(Probe.of(socket(), "-x").report()).contains("f0: 00").contains(" 5a\n");
    }
  }

  @Test
  void namesAreLeftOutOrTakenFromTheList() throws Exception {
    try (ScriptedServer _ = ScriptedServer.start(socket(), new ConfigImage(256).array())) {
      assertThat(Probe.of(socket()).report())
          .startsWith(
              "00:00.0 Processing accelerators: Example Vendor Example Accelerator\n\tControl");
      assertThat(Probe.of(socket(), "-n").report()).startsWith("00:00.0 1200: 1234:7032\n");
      Path other = directory.resolve("other.ids");
      List<String> lines = new ArrayList<>(List.of("1234  Someone", "C 12  Thinking"));
      Files.write(other, lines);
      assertThat(Probe.run("--socket-path=" + socket(), "-i", other.toString()).report())
          .startsWith("00:00.0 Thinking [1200]: Someone Device 7032\n");
      Files.writeString(other, "");
      assertThat(Probe.run("--socket-path=" + socket(), "-i", other.toString()).report())
          .startsWith("00:00.0 Class 1200: Device 1234:7032\n");
    }
  }
}
