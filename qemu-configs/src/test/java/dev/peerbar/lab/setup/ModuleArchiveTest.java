package dev.peerbar.lab.setup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.kernel.BzImage;
import dev.peerbar.lab.kernel.KernelModule;
import dev.peerbar.lab.kernel.KernelModules;
import dev.peerbar.lab.kernel.MadeModule;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class ModuleArchiveTest {
  @TempDir Path directory;
  private Path from;
  private Path image;
  private Path initramfs;
  private Cache cache;

  @BeforeEach
  void make() throws IOException {
    from = directory.resolve("7.3.4");
    image = Files.write(directory.resolve("bzImage"), BzImage.of("7.3.4", new byte[0]));
    initramfs = Files.writeString(directory.resolve("initramfs"), "the first archive");
    cache = new Cache(Files.createDirectory(directory.resolve("cache")));
    MadeModule.write(from.resolve("kernel/vfio-pci.ko.xz"), "depends=vfio");
    MadeModule.write(from.resolve("kernel/vfio.ko"), "depends=");
  }

  private List<KernelModule> modules() throws IOException {
    return KernelModules.in(from, image).forGuests(image);
  }

  private Path archive() throws IOException, SetupException {
    return ModuleArchive.make(cache, initramfs, from, modules());
  }

  private static Map<String, byte[]> entries(byte[] archive) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    try (CpioArchiveInputStream cpio =
        new CpioArchiveInputStream(new ByteArrayInputStream(archive))) {
      for (CpioArchiveEntry e = cpio.getNextEntry(); e != null; e = cpio.getNextEntry()) {
        entries.put(e.getName(), cpio.readAllBytes());
      }
    }
    return entries;
  }

  @Test
  void modulesFollowTheInitramfsInTheOrderInWhichTheyAreLoaded() throws Exception {
    byte[] all = Files.readAllBytes(archive());
    byte[] first = Files.readAllBytes(initramfs);
    assertThat(all).startsWith(first);
    byte[] second = java.util.Arrays.copyOfRange(all, first.length, all.length);
    byte[] archive = new GZIPInputStream(new ByteArrayInputStream(second)).readAllBytes();
    Map<String, byte[]> entries = entries(archive);
    assertThat(entries)
        .containsOnlyKeys("modules", "modules/vfio", "modules/vfio_pci", "modules/order");
    assertThat(new String(entries.get("modules/order"), StandardCharsets.UTF_8))
        .isEqualTo("vfio\nvfio_pci\n");
    assertThat(entries.get("modules/vfio_pci")).isEqualTo(MadeModule.module("depends=vfio"));
  }

  @Test
  void whatWasMadeOfOldModulesIsReplaced() throws Exception {
    Path old = archive();
    assertThat(archive()).isEqualTo(old);
    MadeModule.write(from.resolve("kernel/vfio.ko"), "depends=", "srcversion=another");
    Path made = archive();
    assertThat(made).isNotEqualTo(old).exists();
    assertThat(old).doesNotExist();
    try (Stream<Path> products = Files.list(directory.resolve("cache"))) {
      assertThat(products).hasSize(1);
    }
  }

  @Test
  void anArchiveCanBeEmpty() throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ModuleArchive.write(out, List.of());
    assertThat(entries(out.toByteArray())).containsOnlyKeys("modules", "modules/order");
  }

  /** The kernel of the set-up has no modules, and says so of every one. */
  @Test
  @Tag("guest")
  @Timeout(600)
  void aModuleThatDoesNotLoadIsNamedWithTheReason() throws Exception {
    LabFiles files = Setup.ofUser(SetupOutput.toStandardError()).run();
    Path both = ModuleArchive.make(cache, files.initramfs(), from, modules());
    LabFiles withModules =
        new LabFiles(files.qemu(), files.kernel(), both, files.userland(), Optional.of(from));
    VirtualMachine machine = VirtualMachine.of(Topology.named("one-switch"));
    assertThatThrownBy(() -> Lab.boot(withModules, machine, directory.resolve("logs")).close())
        .isInstanceOf(IOException.class)
        .hasMessage(
            "the guest's kernel does not load these modules: vfio (Function not implemented),"
                + " vfio_pci (Function not implemented)");
  }
}
