package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.files.QemuBinary;
import dev.peerbar.lab.kernel.KernelModule;
import dev.peerbar.lab.kernel.KernelModules;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Makes what a lab needs, or finds that it is all there. Does nothing twice, can be interrupted at
 * any point, and is safe to run several times at once.
 */
public final class Setup {
  private final Cache cache;
  private final SetupOutput output;
  private final Optional<QemuBinary> ownQemu;
  private final Optional<Path> ownKernel;
  private final Optional<Path> ownModules;
  private final Optional<KernelRequest> ownBuilds;

  private Setup(
      Cache cache,
      SetupOutput output,
      Optional<QemuBinary> ownQemu,
      Optional<Path> ownKernel,
      Optional<Path> ownModules,
      Optional<KernelRequest> ownBuilds) {
    this.cache = cache;
    this.output = output;
    this.ownQemu = ownQemu;
    this.ownKernel = ownKernel;
    this.ownModules = ownModules;
    this.ownBuilds = ownBuilds;
  }

  private Setup(Cache cache, SetupOutput output) {
    this(cache, output, Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());
  }

  /** In the user's cache directory. */
  public static Setup ofUser(SetupOutput output) {
    return new Setup(Cache.ofUser(), output);
  }

  static Setup in(Path directory, SetupOutput output) {
    return new Setup(new Cache(directory), output);
  }

  /** With the user's own QEMU, which must have {@code vfio-user-pci}. */
  public Setup withQemu(Path program) {
    return new Setup(
        cache,
        output,
        Optional.of(QemuBinary.of(program.toString())),
        ownKernel,
        ownModules,
        ownBuilds);
  }

  /** With the user's own guest kernel, which must have what {@code kernel/p2p.config} lists. */
  public Setup withKernel(Path bzImage) {
    return new Setup(cache, output, ownQemu, Optional.of(bzImage), ownModules, ownBuilds);
  }

  /** With kernels that are built for the user, instead of the lab's own: see {@link #runAll}. */
  public Setup withKernels(KernelRequest builds) {
    return new Setup(cache, output, ownQemu, ownKernel, ownModules, Optional.of(builds));
  }

  /**
   * With the modules of the user's own kernel, of which a guest loads those that it needs.
   *
   * @param directory {@code lib/modules/RELEASE}, or the directory that has it
   */
  public Setup withModules(Path directory) {
    return new Setup(cache, output, ownQemu, ownKernel, Optional.of(directory), ownBuilds);
  }

  /**
   * Makes what is missing.
   *
   * @throws SetupException if something cannot be got; its message says what would help
   * @throws IOException if the cache directory cannot be written
   */
  public LabFiles run() throws IOException, SetupException {
    checkOwn();
    Optional<LabFiles> there = find();
    if (there.isPresent() && ownModules.isEmpty()) {
      return there.get();
    }
    try (Cache.Lock _ =
        cache.lock(() -> output.say("waiting for another set-up that is running"))) {
      there = find();
      LabFiles files = there.isPresent() ? there.get() : make();
      return ownModules.isPresent() ? withModules(files, ownModules.get()) : files;
    }
  }

  /**
   * Makes what is missing, for each kernel that is wanted.
   *
   * @return what guests are made of, by the names of the {@link KernelVariant}s; by an empty one if
   *     no kernel is to be built
   * @throws KernelUnfitException if there is something wrong with the source of one
   * @throws SetupException if something cannot be got; its message says what would help
   * @throws IOException if the cache directory cannot be written
   */
  public Map<String, LabFiles> runAll() throws IOException, SetupException {
    if (ownBuilds.isEmpty()) {
      return Map.of("", run());
    }
    checkOwn();
    KernelRequest request = ownBuilds.get();
    try (Cache.Lock _ =
        cache.lock(() -> output.say("waiting for another set-up that is running"))) {
      BuildTools.ensure(output, patching(request), Map.of());
    }
    Map<String, KernelBuilds.Kernel> kernels = new KernelBuilds(cache, output).make(request);
    // What else there is to make is the same for all.
    Path first = kernels.values().iterator().next().image();
    LabFiles files = withKernel(first).run();
    Map<String, LabFiles> all = new LinkedHashMap<>();
    kernels.forEach(
        (name, kernel) -> all.put(name, files.withKernel(kernel.image(), kernel.arguments())));
    return all;
  }

  private static List<String> patching(KernelRequest request) {
    return request.patches().isEmpty() ? List.of() : List.of(Patching.PROGRAM);
  }

  /**
   * Makes what is missing, for guests that have the kernel's own tests of vfio. Where no kernel is
   * to be built, and none is the user's own, kernel and tests are of the distribution's newest
   * source.
   *
   * @throws KernelUnfitException if there is something wrong with the source of a kernel, or with
   *     its tests
   * @throws SetupException if something cannot be got; its message says what would help
   * @throws IOException if the cache directory cannot be written
   */
  public SelftestFiles runWithSelftests() throws IOException, SetupException {
    KernelRequest request = ownBuilds.orElse(KernelRequest.DISTRIBUTION);
    // What is there of the lab's own is made first, and then found.
    LabFiles labsOwn = run();
    Map<String, LabFiles> all =
        ownKernel.isPresent() ? Map.of("", labsOwn) : withKernels(request).runAll();
    try (Cache.Lock _ =
        cache.lock(() -> output.say("waiting for another set-up that is running"))) {
      BuildTools.ensure(output, patching(request), BuildTools.FOR_SELFTESTS);
    }
    Selftests tests = new KernelBuilds(cache, output).selftests(request);
    Map<String, LabFiles> files = new LinkedHashMap<>();
    try (Cache.Lock _ =
        cache.lock(() -> output.say("waiting for another set-up that is running"))) {
      for (Map.Entry<String, LabFiles> kernel : all.entrySet()) {
        LabFiles some = kernel.getValue();
        files.put(
            kernel.getKey(),
            some.withInitramfs(SelftestArchive.make(cache, some.initramfs(), tests)));
      }
    }
    return new SelftestFiles(files, tests);
  }

  private LabFiles withModules(LabFiles files, Path directory) throws IOException, SetupException {
    KernelModules modules;
    List<KernelModule> wanted;
    try {
      modules = KernelModules.in(directory, files.kernel());
      wanted = modules.forGuests(files.kernel());
    } catch (IOException e) {
      throw new SetupException(e.getMessage() + ".", e);
    }
    return new LabFiles(
        files.qemu(),
        files.kernel(),
        ModuleArchive.make(cache, files.initramfs(), modules.directory(), wanted),
        files.userland(),
        Optional.of(modules.directory()));
  }

  /** What is there already, if all of it is. */
  public Optional<LabFiles> find() throws IOException, SetupException {
    Optional<QemuBinary> qemu = qemu();
    Optional<Path> kernel = kernel();
    Optional<Path> initramfs = Initramfs.find(cache);
    Optional<Path> userland = Userland.find(cache);
    return qemu.isPresent() && kernel.isPresent() && initramfs.isPresent() && userland.isPresent()
        ? Optional.of(new LabFiles(qemu.get(), kernel.get(), initramfs.get(), userland.get()))
        : Optional.empty();
  }

  private Optional<QemuBinary> qemu() throws IOException, SetupException {
    return ownQemu.isPresent() ? ownQemu : QemuInstall.find(cache);
  }

  private Optional<Path> kernel() throws IOException {
    return ownKernel.isPresent() ? ownKernel : KernelBuild.find(cache);
  }

  private void checkOwn() throws IOException, SetupException {
    if (ownKernel.isPresent()) {
      Path kernel = ownKernel.get();
      if (!Files.isReadable(kernel) || Files.isDirectory(kernel)) {
        throw new SetupException("The kernel " + kernel + " cannot be read.");
      }
    }
    if (ownQemu.isPresent()) {
      checkOwn(ownQemu.get());
    }
  }

  private static void checkOwn(QemuBinary qemu) throws SetupException {
    String name = String.join(" ", qemu.command());
    boolean newEnough;
    try {
      newEnough = QemuInstall.hasVfioUser(qemu);
    } catch (IOException e) {
      throw new SetupException("The QEMU " + name + " cannot be run: " + e.getMessage(), e);
    }
    if (!newEnough) {
      throw new SetupException(name + " has no vfio-user-pci device; it takes QEMU 10.1 or later.");
    }
  }

  private LabFiles make() throws IOException, SetupException {
    if (!"amd64".equals(System.getProperty("os.arch"))) {
      throw new SetupException("The lab needs an x86-64 machine.");
    }
    BuildTools.ensure(output, List.of(), Map.of());
    download();
    if (Initramfs.find(cache).isEmpty()) {
      Initramfs.make(cache, output);
    }
    return find().orElseThrow(() -> new IOException("set-up made less than it should have"));
  }

  private void download() throws IOException, SetupException {
    boolean wantsQemu = qemu().isEmpty();
    boolean wantsKernel = kernel().isEmpty();
    boolean wantsBusybox = !Initramfs.hasBusybox(cache);
    boolean wantsUserland = Userland.find(cache).isEmpty();
    if (!wantsQemu && !wantsKernel && !wantsBusybox && !wantsUserland) {
      return;
    }
    try (PackageSource packages = PackageSource.open(cache, Debian.ofMachine(), output)) {
      List<String> names = new ArrayList<>();
      String kernelSource = wantsKernel ? packages.newestKernelSource() : "";
      if (wantsQemu) {
        names.add(QemuInstall.PACKAGE);
      }
      if (wantsKernel) {
        names.add(kernelSource);
      }
      if (wantsBusybox) {
        names.add(Initramfs.BUSYBOX_PACKAGE);
      }
      if (!names.isEmpty()) {
        packages.download(names);
      }
      if (wantsUserland) {
        Userland.make(cache, packages, output);
      }
      if (wantsBusybox) {
        Initramfs.makeBusybox(cache, packages);
      }
      if (wantsQemu) {
        QemuInstall.make(cache, packages, output);
      }
      if (wantsKernel) {
        KernelBuild.make(cache, packages, kernelSource, output);
      }
    }
  }
}
