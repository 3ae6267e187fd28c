package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;

/**
 * The guest's root: the agent as {@code /init}, busybox for {@code --shell}, and the places where
 * {@link Userland} belongs.
 */
final class Initramfs {
  static final String BUSYBOX_PACKAGE = "busybox-static";
  private static final String AGENT = "guest/agent.c";
  static final String IMAGE = "initramfs.cpio.gz";
  private static final String BUSYBOX_PRODUCT = "busybox-1";

  /** Changes whenever what is in it beside the agent does. */
  private static final String RECIPE = "2";

  private static final String[] COMPILE = {
    "gcc",
    "-static",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    // Every access that may fault returns at once when it did, without a look at its locals.
    "-Wno-clobbered",
    "-pthread",
    "-o",
    "init",
    "agent.c"
  };

  private Initramfs() {}

  static Optional<Path> find(Cache cache) throws IOException {
    return cache.find(product()).map(p -> p.resolve(IMAGE));
  }

  static boolean hasBusybox(Cache cache) {
    return cache.find(BUSYBOX_PRODUCT).isPresent();
  }

  static void makeBusybox(Cache cache, PackageSource packages) throws IOException, SetupException {
    cache.make(BUSYBOX_PRODUCT, d -> packages.unpack(BUSYBOX_PACKAGE::equals, d));
  }

  private static String product() throws IOException {
    return "initramfs-"
        + LabResources.stamp(LabResources.text(AGENT), String.join(" ", COMPILE), RECIPE);
  }

  static Path make(Cache cache, SetupOutput output) throws IOException, SetupException {
    Path busybox = busybox(cache);
    return cache
        .make(
            product(),
            directory -> {
              output.say("compiling the guest agent");
              Files.writeString(directory.resolve("agent.c"), LabResources.text(AGENT));
              SetupProgram.in(directory, COMPILE).run();
              Path init = directory.resolve("init");
              try (OutputStream out =
                  new GZIPOutputStream(Files.newOutputStream(directory.resolve(IMAGE)))) {
                write(out, Files.readAllBytes(init), Files.readAllBytes(busybox));
              }
            })
        .resolve(IMAGE);
  }

  private static Path busybox(Cache cache) throws SetupException {
    Path root = cache.find(BUSYBOX_PRODUCT).orElseThrow();
    for (String place : new String[] {"usr/bin/busybox", "bin/busybox"}) {
      if (Files.exists(root.resolve(place))) {
        return root.resolve(place);
      }
    }
    throw new SetupException("The package " + BUSYBOX_PACKAGE + " has no busybox in it.");
  }

  /** A cpio archive in the kernel's "newc" format. */
  static void write(OutputStream out, byte[] init, byte[] busybox) throws IOException {
    // The shell's profile makes busybox's other names when it is first wanted, not at every boot.
    Map<String, byte[]> files =
        Map.of(
            "init", init,
            "bin/busybox", busybox,
            "etc/profile",
                """
                /bin/busybox --install -s /bin
                PS1='lab# '
                """
                    .getBytes(StandardCharsets.UTF_8));
    try (CpioArchiveOutputStream cpio =
        new CpioArchiveOutputStream(out, CpioConstants.FORMAT_NEW)) {
      for (String d :
          new String[] {"bin", "dev", "etc", "mnt", "proc", "root", "sys", "tmp", "usr"}) {
        put(cpio, d, CpioConstants.C_ISDIR | 0755, new byte[0]);
      }
      for (String name : files.keySet().stream().sorted().toList()) {
        int mode = name.startsWith("etc/") ? 0644 : 0755;
        put(cpio, name, CpioConstants.C_ISREG | mode, files.get(name));
      }
      put(cpio, "bin/sh", CpioConstants.C_ISLNK | 0777, "busybox".getBytes(StandardCharsets.UTF_8));
      // Where programs of the userland look for their loader, their libraries and each other.
      for (String d : new String[] {"lib", "lib64", "sbin"}) {
        put(cpio, d, CpioConstants.C_ISLNK | 0777, ("usr/" + d).getBytes(StandardCharsets.UTF_8));
      }
    }
  }

  /**
   * Writes an initramfs, and takes an archive behind it: a kernel unpacks several, one after the
   * other (its Documentation/driver-api/early-userspace/buffer-format.rst).
   *
   * @return where to write that archive; closing it closes what it is written to
   */
  static OutputStream behind(Path initramfs, OutputStream out) throws IOException {
    Files.copy(initramfs, out);
    return new GZIPOutputStream(out);
  }

  static void put(CpioArchiveOutputStream cpio, String name, int mode, byte[] contents)
      throws IOException {
    CpioArchiveEntry entry = new CpioArchiveEntry(CpioConstants.FORMAT_NEW, name, contents.length);
    entry.setMode(mode);
    cpio.putArchiveEntry(entry);
    cpio.write(contents);
    cpio.closeArchiveEntry();
  }
}
