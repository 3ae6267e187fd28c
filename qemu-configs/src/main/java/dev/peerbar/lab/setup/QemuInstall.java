package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.QemuBinary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** QEMU with vfio-user: the system's, or one unpacked from the distribution's newer suite. */
final class QemuInstall {
  static final String PACKAGE = "qemu-system-x86";
  private static final String PROGRAM = "qemu-system-x86_64";

  /** Changes whenever the way of unpacking does. */
  private static final String PRODUCT = "qemu-1";

  private static final String LIBRARIES = "usr/lib/x86_64-linux-gnu";

  private QemuInstall() {}

  static Optional<QemuBinary> find(Cache cache) throws IOException, SetupException {
    if (SetupProgram.exists(PROGRAM) && hasVfioUser(QemuBinary.of(PROGRAM))) {
      return Optional.of(QemuBinary.of(PROGRAM));
    }
    return cache.find(PRODUCT).map(QemuInstall::inTree);
  }

  static QemuBinary make(Cache cache, PackageSource packages, SetupOutput output)
      throws IOException, SetupException {
    output.say("unpacking QEMU " + packages.version(PACKAGE));
    Path tree =
        cache.make(
            PRODUCT,
            directory -> {
              packages.unpack(
                  name -> !name.startsWith("linux-source") && !name.startsWith("busybox"),
                  directory);
              if (!hasVfioUser(inTree(directory))) {
                throw new SetupException(
                    "The QEMU of the distribution has no vfio-user-pci device.");
              }
            });
    return inTree(tree);
  }

  /** Runs with its own loader and libraries, so that the machine's may be older. */
  private static QemuBinary inTree(Path tree) {
    Path libraries = tree.resolve(LIBRARIES);
    return new QemuBinary(
        List.of(
            tree.resolve("usr/lib64/ld-linux-x86-64.so.2").toString(),
            "--library-path",
            libraries.toString(),
            tree.resolve("usr/bin/" + PROGRAM).toString(),
            "-L",
            tree.resolve("usr/share/qemu").toString(),
            "-L",
            tree.resolve("usr/share/seabios").toString()),
        Map.of("QEMU_MODULE_DIR", libraries.resolve("qemu").toString()));
  }

  static boolean hasVfioUser(QemuBinary qemu) throws IOException, SetupException {
    List<String> words = new java.util.ArrayList<>(qemu.command());
    words.addAll(List.of("-device", "help"));
    Path anywhere = Files.isDirectory(Path.of("/tmp")) ? Path.of("/tmp") : Path.of("/");
    return new SetupProgram(anywhere, qemu.environment(), words)
        .output()
        .contains("\"vfio-user-pci\"");
  }
}
