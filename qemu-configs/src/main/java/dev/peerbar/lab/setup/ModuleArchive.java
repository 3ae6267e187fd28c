package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import dev.peerbar.lab.kernel.KernelModule;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.commons.compress.archivers.cpio.CpioArchiveOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;

/**
 * An initramfs with modules. The agent loads what is in {@code /modules}, as the file {@code order}
 * there has it.
 */
final class ModuleArchive {
  private static final String DIRECTORY = "modules";
  private static final String ORDER = "order";

  private ModuleArchive() {}

  /**
   * The initramfs with the modules behind it, made anew when one of them has changed: there is one
   * for each directory that modules were taken from.
   */
  static Path make(Cache cache, Path initramfs, Path from, List<KernelModule> modules)
      throws IOException, SetupException {
    String ofDirectory = DIRECTORY + "-" + LabResources.stamp(from.toRealPath().toString()) + "-";
    String product = ofDirectory + stamp(initramfs, modules);
    cache.deleteOthers(ofDirectory, product);
    return cache
        .make(
            product,
            directory -> {
              try (OutputStream out = Files.newOutputStream(directory.resolve(Initramfs.IMAGE));
                  OutputStream second = Initramfs.behind(initramfs, out)) {
                write(second, modules);
              }
            })
        .resolve(Initramfs.IMAGE);
  }

  private static String stamp(Path initramfs, List<KernelModule> modules) throws IOException {
    StringBuilder all = new StringBuilder(initramfs.toString());
    for (KernelModule module : modules) {
      all.append('\n')
          .append(module.file())
          .append(' ')
          .append(Files.size(module.file()))
          .append(' ')
          .append(Files.getLastModifiedTime(module.file()));
    }
    return LabResources.stamp(all.toString());
  }

  /** The archive of the modules alone. */
  static void write(OutputStream out, List<KernelModule> modules) throws IOException {
    try (CpioArchiveOutputStream cpio =
        new CpioArchiveOutputStream(out, CpioConstants.FORMAT_NEW)) {
      Initramfs.put(cpio, DIRECTORY, CpioConstants.C_ISDIR | 0755, new byte[0]);
      for (KernelModule module : modules) {
        put(cpio, module.name(), module.bytes());
      }
      put(
          cpio,
          ORDER,
          modules.stream()
              .map(m -> m.name() + "\n")
              .collect(Collectors.joining())
              .getBytes(StandardCharsets.UTF_8));
    }
  }

  private static void put(CpioArchiveOutputStream cpio, String name, byte[] contents)
      throws IOException {
    Initramfs.put(cpio, DIRECTORY + "/" + name, CpioConstants.C_ISREG | 0644, contents);
  }
}
