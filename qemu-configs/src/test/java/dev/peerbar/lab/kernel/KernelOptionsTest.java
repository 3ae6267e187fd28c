package dev.peerbar.lab.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelOptionsTest {
  @TempDir Path directory;

  private static final String FRAGMENT =
      """
      # About it.
      ## own: Small.
      CONFIG_SMALL=y
      CONFIG_RELOCATABLE=n
      ## boot: Needed by all.
      CONFIG_TTY=y
      ## vfio: The agent's.
      # module: vfio
      CONFIG_VFIO=y
      # module: vfio-pci
      CONFIG_VFIO_PCI=y
      CONFIG_VFIO_DEVICE_CDEV=y
      """;

  private static KernelOptions options(String config, Optional<KernelModules> modules)
      throws IOException {
    return KernelOptions.of(
        KernelConfig.parse("a file", config), KernelFragment.parse(FRAGMENT), modules);
  }

  @Test
  void whatIsMissingIsNamedByWhatItIsFor() throws IOException {
    KernelOptions options =
        options("CONFIG_VFIO=y\n# CONFIG_VFIO_PCI is not set\n", Optional.empty());
    assertThat(options.missing(KernelNeed.BOOT)).containsExactly("CONFIG_TTY");
    assertThat(options.missing(KernelNeed.VFIO))
        .containsExactly("CONFIG_VFIO_PCI", "CONFIG_VFIO_DEVICE_CDEV");
    assertThat(options.missing(KernelNeed.NVME)).isEmpty();
    assertThat(options.missing(KernelNeed.values())).hasSize(3);
    assertThat(options.clause(options.missing(KernelNeed.values())))
        .isEqualTo(
            "the kernel lacks CONFIG_TTY, CONFIG_VFIO_PCI and CONFIG_VFIO_DEVICE_CDEV (by a file)");
  }

  @Test
  void aModuleWillDoIfItIsBroughtAlong() throws IOException {
    String config = "CONFIG_TTY=m\nCONFIG_VFIO=m\nCONFIG_VFIO_PCI=m\nCONFIG_VFIO_DEVICE_CDEV=y\n";
    KernelOptions without = options(config, Optional.empty());
    assertThat(without.missing(KernelNeed.VFIO)).containsExactly("CONFIG_VFIO", "CONFIG_VFIO_PCI");
    assertThat(without.clause(without.missing(KernelNeed.values())))
        .isEqualTo(
            "the kernel lacks CONFIG_TTY, and has CONFIG_VFIO and CONFIG_VFIO_PCI in modules, which"
                + " it has not got without --modules=DIR (by a file)");
    MadeModule.write(directory.resolve("kernel/vfio.ko"), "depends=");
    Path image = Files.write(directory.resolve("bzImage"), BzImage.of("7", new byte[0]));
    KernelOptions with = options(config, Optional.of(KernelModules.in(directory, image)));
    assertThat(with.missing(KernelNeed.VFIO)).containsExactly("CONFIG_VFIO_PCI");
    assertThat(with.clause(with.missing(KernelNeed.VFIO)))
        .isEqualTo("the kernel lacks CONFIG_VFIO_PCI (by a file)");
  }

  @Test
  void everyGroupOfTheFragmentIsKnownAndFull() throws IOException {
    Map<KernelNeed, List<KernelFragment.Option>> groups = KernelFragment.read();
    assertThat(groups).containsOnlyKeys(KernelNeed.values());
    assertThat(groups.values()).noneMatch(List::isEmpty);
    assertThat(groups.values().stream().flatMap(List::stream).map(KernelFragment.Option::name))
        .doesNotHaveDuplicates()
        .contains("CONFIG_IOMMUFD", "CONFIG_PCI_P2PDMA", "CONFIG_VIRTIO_CONSOLE")
        .doesNotContain("CONFIG_EXPERT", "CONFIG_RELOCATABLE", "CONFIG_KERNEL_GZIP");
    assertThatThrownBy(() -> KernelFragment.parse("## nonsense: What?\n"))
        .hasMessageContaining("nonsense");
  }

  @Test
  void aKernelOfTheFragmentLacksNothing() throws IOException {
    String all =
        LabResources.text("kernel/p2p.config")
            .lines()
            .filter(l -> !l.startsWith("#"))
            .collect(Collectors.joining("\n"));
    KernelOptions options =
        KernelOptions.of(
            KernelConfig.parse("itself", all), KernelFragment.read(), Optional.empty());
    assertThat(options.missing(KernelNeed.values())).isEmpty();
  }
}
