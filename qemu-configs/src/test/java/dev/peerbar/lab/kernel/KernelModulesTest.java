package dev.peerbar.lab.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelModulesTest {
  private static final String MAGIC = "vermagic=7.3.4 SMP preempt mod_unload ";

  @TempDir Path directory;
  private Path modules;
  private Path image;

  @BeforeEach
  void make() throws IOException {
    modules = Files.createDirectories(directory.resolve("modules/7.3.4"));
    image = Files.write(directory.resolve("bzImage"), BzImage.of("7.3.4", new byte[0]));
    module("kernel/drivers/vfio/pci/vfio-pci.ko.xz", "depends=vfio-pci-core,vfio", MAGIC);
    module("kernel/drivers/vfio/pci/vfio-pci-core.ko.zst", "depends=vfio", MAGIC);
    module("kernel/drivers/vfio/vfio.ko.gz", "depends=", MAGIC);
    module("kernel/fs/ext4/ext4.ko", "depends=jbd2", "softdep=pre: crc32c post: later", MAGIC);
    module("kernel/fs/jbd2/jbd2.ko", "depends=built-in", MAGIC);
    module("kernel/crypto/crc32c.ko", "depends=", "softdep=pre: ext4", MAGIC);
    module("kernel/crypto/later.ko", "depends=", MAGIC);
    module("kernel/drivers/gpu/enormous.ko", "depends=", MAGIC);
  }

  private void module(String path, String... info) throws IOException {
    MadeModule.write(modules.resolve(path), info);
  }

  private List<String> names(KernelModules from) throws IOException {
    return from.forGuests(image).stream().map(KernelModule::name).toList();
  }

  @Test
  void whatAGuestNeedsIsThereAfterWhatItDependsOnAndNothingElse() throws IOException {
    assertThat(names(KernelModules.in(modules, image)))
        .containsExactly("vfio", "vfio_pci_core", "vfio_pci", "jbd2", "crc32c", "ext4");
  }

  @Test
  void theKernelTakesThemAsTheyWereBeforeTheyWereCompressed() throws IOException {
    assertThat(KernelModules.in(modules, image).forGuests(image))
        .allSatisfy(m -> assertThat(m.bytes()).startsWith(0x7f, 'E', 'L', 'F'));
  }

  @Test
  void anUpdateIsPreferred() throws IOException {
    module("updates/vfio.ko", "depends=", MAGIC, "srcversion=new");
    assertThat(KernelModules.in(modules, image).forGuests(image).getFirst().file())
        .isEqualTo(modules.resolve("updates/vfio.ko"));
  }

  @Test
  void theParentWillDoIfItIsClearWhichIsMeant() throws IOException {
    Path parent = modules.getParent();
    assertThat(KernelModules.in(parent, image).directory()).isEqualTo(modules);
    Files.createDirectories(parent.resolve("6.1.0/kernel"));
    assertThat(KernelModules.in(parent, image).directory()).isEqualTo(modules);
    Path other = Files.write(directory.resolve("other"), BzImage.of("5.9", new byte[0]));
    assertThatThrownBy(() -> KernelModules.in(parent, other))
        .hasMessageContainingAll("several kernels", "none of 5.9", "6.1.0, 7.3.4");
  }

  @Test
  void whatHasNoModulesIsSaidToHaveNone() throws IOException {
    assertThatThrownBy(() -> KernelModules.in(directory.resolve("nowhere"), image))
        .hasMessageContaining("no directory");
    assertThatThrownBy(() -> KernelModules.in(image, image)).hasMessageContaining("no directory");
    assertThatThrownBy(
            () -> KernelModules.in(Files.createDirectory(directory.resolve("empty")), image))
        .hasMessageContaining("has no kernel modules");
  }

  @Test
  void modulesOfAnotherKernelAreRefused() throws IOException {
    Path other = Files.write(directory.resolve("other"), BzImage.of("7.3.5", new byte[0]));
    assertThatThrownBy(() -> KernelModules.in(modules, image).forGuests(other))
        .hasMessageContainingAll("are of the kernel 7.3.4", "is 7.3.5");
  }

  @Test
  void aFileThatIsNoModuleIsNamed() throws IOException {
    Path bad = Files.writeString(modules.resolve("kernel/drivers/vfio/vfio.ko.gz"), "text");
    assertThatThrownBy(() -> KernelModules.in(modules, image).forGuests(image))
        .hasMessage(bad + " is no kernel module");
  }
}
