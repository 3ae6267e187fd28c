package dev.peerbar.lab.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.files.QemuBinary;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class TopologyTest {
  private static final LabFiles FILES =
      new LabFiles(
          QemuBinary.of("qemu"),
          Path.of("/k/bzImage"),
          Path.of("/k/initramfs"),
          Path.of("/k/userland/usr"));

  @Test
  void aLineIsAnOptionAndItsValueToTheEndOfTheLine() throws Exception {
    Topology t = Topology.parse("t", "# comment\n\n-nodefaults\n-append   a b  c=${CPU}\n");
    assertThat(t.expand(Map.of("CPU", "x$1")))
        .containsExactly("-nodefaults", "-append", "a b  c=x$1");
  }

  @Test
  void aMissingValueIsAnErrorUnlessItIsThatOfAnEndpoint() throws Exception {
    Topology t = Topology.parse("t", "-device a,${SOCKET_A}\n-m ${MEMORY}\n");
    assertThat(t.expand(Map.of("MEMORY", "1G"))).containsExactly("-m", "1G");
    assertThatThrownBy(() -> t.expand(Map.of())).hasMessageContaining("MEMORY");
  }

  @Test
  void whatIsNoOptionIsRefused() {
    assertThatThrownBy(() -> Topology.parse("t", "device edu"))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("device edu");
    assertThatThrownBy(() -> Topology.named("three-switches")).hasMessageContaining("one-switch");
  }

  @ParameterizedTest
  @FieldSource("dev.peerbar.lab.qemu.Topology#NAMES")
  void everyTopologyHasThePortsThatScenariosCount(String name) throws Exception {
    VirtualMachine machine =
        VirtualMachine.of(Topology.named(name))
            .withEndpoint("a", Path.of("/s/a\"q.sock"))
            .withEndpoint("b", Path.of("/s/b.sock"));
    List<String> line = machine.commandLine(FILES, Path.of("/run,1"), Path.of("/logs"));
    assertThat(line).startsWith("qemu").doesNotContain("include");
    assertThat(line).noneMatch(w -> w.contains("${"));
    assertThat(line).anyMatch(w -> w.contains("id=port-a") && w.contains("slot=1"));
    assertThat(line).anyMatch(w -> w.contains("id=port-b") && w.contains("slot=2"));
    assertThat(line).anyMatch(w -> w.contains("id=port-c") && w.contains("slot=3"));
    assertThat(line)
        .contains(
            "{\"driver\":\"vfio-user-pci\",\"id\":\"a\",\"bus\":\"port-a\",\"socket\":{\"type\":\"unix\",\"path\":\"/s/a\\\"q.sock\"}}");
    assertThat(line).contains("unix:/run,,1/qmp.sock,server=on,wait=off");
  }

  @Test
  void endpointsAndVIommuAreLeftOutWhenThereAreNone() throws Exception {
    VirtualMachine machine =
        VirtualMachine.of(Topology.named("one-switch")).withViommu(Viommu.NONE);
    List<String> line = machine.commandLine(FILES, Path.of("/run"), Path.of("/logs"));
    assertThat(line).noneMatch(w -> w.contains("vfio-user-pci") || w.contains("iommu,"));
    assertThat(line).noneMatch(w -> w.contains("userland"));
    assertThat(machine.withTerminal().commandLine(FILES, Path.of("/run"), Path.of("/logs")))
        .anyMatch(w -> w.startsWith("stdio,id=console"));
  }

  @Test
  void aVIommuBringsWhatTheKernelWantsOfIt() throws Exception {
    VirtualMachine machine = VirtualMachine.of(Topology.named("one-switch"));
    assertThat(machine.withViommu(Viommu.AMD).commandLine(FILES, Path.of("/run"), Path.of("/logs")))
        .anyMatch(w -> w.startsWith("amd-iommu,"))
        .anyMatch(w -> w.contains("class=0x0c05") && w.endsWith("addr=14.0"));
    assertThat(
            machine
                .withViommu(Viommu.VIRTIO)
                .withKernelArguments("more")
                .commandLine(FILES, Path.of("/run"), Path.of("/logs")))
        .anyMatch(w -> w.endsWith(" vfio_iommu_type1.allow_unsafe_interrupts=1 more"));
    assertThat(Viommu.named("none")).contains(Viommu.NONE);
    assertThat(Viommu.named("no-iommu")).contains(Viommu.NONE);
    assertThat(Viommu.named("smmu")).isEmpty();
  }

  @Test
  void theUserlandIsSharedWithAGuestThatWantsItAndMountsIt() throws Exception {
    VirtualMachine machine = VirtualMachine.of(Topology.named("two-root-ports")).withUserland();
    List<String> line = machine.commandLine(FILES, Path.of("/run"), Path.of("/logs"));
    assertThat(line)
        .anyMatch(w -> w.startsWith("local,id=userland,path=/k/userland/usr,"))
        .anyMatch(w -> w.endsWith(" peerbar.userland"));
  }

  @Test
  void commandLinesCanBePastedIntoAShell() {
    assertThat(ShellWords.quote("a=b,c")).isEqualTo("a=b,c");
    assertThat(ShellWords.quote("it's")).isEqualTo("'it'\\''s'");
    assertThat(ShellWords.quote("")).isEqualTo("''");
    assertThat(ShellWords.commandLine(Map.of("V", "x y"), List.of("q", "-a", "b c", "-d")))
        .isEqualTo("V='x y' q \\\n  -a 'b c' \\\n  -d");
  }
}
