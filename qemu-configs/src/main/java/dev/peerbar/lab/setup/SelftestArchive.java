package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.commons.compress.archivers.cpio.CpioArchiveOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;

/** An initramfs with the kernel's own tests of vfio. */
final class SelftestArchive {
  private static final String PRODUCT = "initramfs-selftests-";

  // 4 MB each.
  private static final int MOST = 12;

  private SelftestArchive() {}

  /** The initramfs with the tests behind it. Call with the cache's lock held. */
  static Path make(Cache cache, Path initramfs, Selftests tests)
      throws IOException, SetupException {
    String product =
        PRODUCT + LabResources.stamp(initramfs.toString(), tests.directory().toString());
    Path made =
        cache.make(
            product,
            directory -> {
              try (OutputStream out = Files.newOutputStream(directory.resolve(Initramfs.IMAGE));
                  OutputStream second = Initramfs.behind(initramfs, out)) {
                write(second, tests);
              }
            });
    cache.keepNewest(made, PRODUCT, MOST);
    return made.resolve(Initramfs.IMAGE);
  }

  private static void write(OutputStream out, Selftests tests) throws IOException {
    try (CpioArchiveOutputStream cpio =
        new CpioArchiveOutputStream(out, CpioConstants.FORMAT_NEW)) {
      Initramfs.put(cpio, Selftests.PLACE, CpioConstants.C_ISDIR | 0755, new byte[0]);
      for (String program : tests.programs()) {
        Initramfs.put(
            cpio,
            Selftests.PLACE + "/" + program,
            CpioConstants.C_ISREG | 0755,
            Files.readAllBytes(tests.directory().resolve(program)));
      }
    }
  }
}
