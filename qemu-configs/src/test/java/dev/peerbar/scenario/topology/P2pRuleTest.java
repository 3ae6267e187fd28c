package dev.peerbar.scenario.topology;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.topology.P2pRule.Cpu;
import dev.peerbar.scenario.topology.P2pRule.Path;
import dev.peerbar.scenario.topology.PciPath.Hop;
import dev.peerbar.scenario.topology.PciPath.HostBridge;
import dev.peerbar.scenario.topology.PciPath.Id;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class P2pRuleTest {
  private static final Cpu ZEN = new Cpu("AuthenticAMD", 0x19);
  private static final Cpu OLD_AMD = new Cpu("AuthenticAMD", 0x15);
  private static final Cpu INTEL = new Cpu("GenuineIntel", 6);
  private static final HostBridge Q35 = host("pci0000:00", 0x8086, 0x29c0);

  private static HostBridge host(String bus, int vendor, int device) {
    return new HostBridge(bus, Optional.of(new Id(vendor, device)));
  }

  /** A way whose ports with an exclamation mark redirect. */
  private static PciPath path(HostBridge host, String... hops) {
    return new PciPath(
        Arrays.stream(hops).map(h -> new Hop(h.replace("!", ""), h.endsWith("!"), true)).toList(),
        host);
  }

  @ParameterizedTest
  @CsvSource({
    // provider, client, with an Intel CPU
    "a pa up root,         b pb up root,     BUS_ADDRESS",
    "a pa up root,         a pa up root,     BUS_ADDRESS",
    "a pi inner po up root, b pb up root,    BUS_ADDRESS",
    "a pa up root,         b pb up root!,    BUS_ADDRESS",
    "a pa up! root,        b pb up! root,    REFUSED",
    "a pa! up root,        b pb up root,     REFUSED",
    "a pa up root,         b pb! up root,    REFUSED",
    "a pi inner po! up root, b pb up root,   REFUSED",
    "a pa,                 b pb,             REFUSED",
  })
  void aCommonPortCarriesWhatNothingRedirects(String provider, String client, Path expected) {
    PciPath from = path(Q35, provider.split(" "));
    PciPath to = path(Q35, client.split(" "));
    assertThat(P2pRule.path(from, to, INTEL)).isEqualTo(expected);
    assertThat(P2pRule.path(from, to, OLD_AMD)).isEqualTo(expected);
    assertThat(P2pRule.path(from, to, ZEN))
        .isEqualTo(expected == Path.REFUSED ? Path.HOST_BRIDGE : expected);
  }

  @ParameterizedTest
  @CsvSource({
    "0x8086, 0x2030, HOST_BRIDGE, HOST_BRIDGE",
    "0x8086, 0x09a2, HOST_BRIDGE, HOST_BRIDGE",
    "0x8086, 0x3c00, HOST_BRIDGE, REFUSED",
    "0x8086, 0x2f01, HOST_BRIDGE, REFUSED",
    "0x1ae0, 0x1234, HOST_BRIDGE, HOST_BRIDGE",
    "0x10de, 0x2f96, HOST_BRIDGE, HOST_BRIDGE",
    "0x10de, 0x2f99, REFUSED, REFUSED",
    "0x8086, 0x29c0, REFUSED, REFUSED",
    "0x1b36, 0x000c, REFUSED, REFUSED",
  })
  void aHostBridgeIsTrustedWithinItselfOrBeyondToo(
      String vendor, String device, Path within, Path between) {
    HostBridge one = host("pci0000:00", Integer.decode(vendor), Integer.decode(device));
    HostBridge other = host("pci0000:40", Integer.decode(vendor), Integer.decode(device));
    PciPath a = path(one, "a", "pa");
    assertThat(P2pRule.path(a, path(one, "b", "pb"), INTEL)).isEqualTo(within);
    assertThat(P2pRule.path(a, path(other, "b", "pb"), INTEL)).isEqualTo(between);
    assertThat(P2pRule.path(a, path(Q35, "b", "pb"), INTEL)).isEqualTo(Path.REFUSED);
    assertThat(P2pRule.path(a, path(other, "b", "pb"), ZEN)).isEqualTo(Path.HOST_BRIDGE);
  }

  @Test
  void aHostBridgeWithoutAFunctionIsNotTrusted() {
    HostBridge unknown = new HostBridge("pci0000:00", Optional.empty());
    assertThat(P2pRule.path(path(unknown, "a", "pa"), path(unknown, "b", "pb"), INTEL))
        .isEqualTo(Path.REFUSED);
  }

  @Test
  void aCpuIsWhatProcSays() {
    assertThat(Cpu.parse("processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\n"))
        .isEqualTo(new Cpu("AuthenticAMD", 25));
  }

  @Test
  void acsRedirectsByItsControlRegister() {
    ByteBuffer config = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
    config.putInt(0x100, 0x14820001).putInt(0x148, 0x0001000d).putInt(0x14c, 0x0000005f);
    assertThat(PciPath.redirects(config)).as("capable, and off").isFalse();
    config.putInt(0x14c, 0x001d005f);
    assertThat(PciPath.redirects(config)).as("as the kernel sets it with an IOMMU").isTrue();
    config.putInt(0x14c, 0x0011005f);
    assertThat(PciPath.redirects(config)).as("source validation and upstream alone").isFalse();
    assertThat(PciPath.redirects(config.limit(256))).as("no extended config space").isFalse();
  }

  @Test
  void portsIsolateByAllTheAcsTheyHave() {
    ByteBuffer config = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
    config.put(0x34, (byte) 0x40).putShort(0x40, (short) 0x0010);
    assertThat(PciPath.isolates(config)).as("an endpoint is no port").isTrue();
    config.putShort(0x42, (short) 0x0052);
    assertThat(PciPath.isolates(config)).as("an upstream port").isTrue();
    config.putShort(0x42, (short) 0x0062);
    assertThat(PciPath.isolates(config)).as("a downstream port without ACS").isFalse();
    config.putInt(0x100, 0x0001000d).putInt(0x104, 0x001d005f);
    assertThat(PciPath.isolates(config)).as("as the kernel sets it with an IOMMU").isTrue();
    config.putInt(0x104, 0x0019005f);
    assertThat(PciPath.isolates(config)).as("requests go to peers").isFalse();
    config.putInt(0x104, 0x00190053);
    assertThat(PciPath.isolates(config)).as("all that it is capable of").isTrue();
  }
}
