package dev.peerbar.lab.setup;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;

/**
 * Builds a kernel beside its source, in a directory that keeps what was built for the next time.
 *
 * @param tree the source, which stays as it is
 * @param objects where everything goes
 */
record KernelMake(Path tree, Path objects) {
  static final String CONFIG = ".config";
  static final String LOG = "make.log";
  private static final String IMAGE = "arch/x86/boot/bzImage";
  private static final String DISK_FULL = "No space left on device";

  /**
   * Configures and builds what has changed since the last time; the image.
   *
   * @param what is built, for whoever waits
   * @throws KernelUnfitException if it does not compile, or an option is not to be had
   */
  Path build(String what, List<Fragment> fragments, SetupOutput output)
      throws IOException, SetupException {
    configure(what, fragments);
    AtomicLong made = new AtomicLong();
    try (SetupOutput.Progress progress =
        output.progress("building " + what, "objects", KernelBuild.OBJECTS)) {
      run(make("bzImage"), what, objects.resolve(LOG), () -> progress.at(made.incrementAndGet()));
    }
    return objects.resolve(IMAGE);
  }

  /**
   * Has something built.
   *
   * @param make the run that builds it
   * @param what is built, for whoever waits
   * @param log where all goes that make says
   * @param compiled called for each object of the kernel's
   * @throws KernelUnfitException if it does not compile
   */
  static void run(SetupProgram make, String what, Path log, Runnable compiled)
      throws IOException, SetupException {
    List<String> errors = new ArrayList<>();
    try (BufferedWriter writer = Files.newBufferedWriter(log)) {
      make.run(line -> {
        note(writer, line);
        if (KernelBuild.isObject(line)) {
          compiled.run();
        } else if (isError(line)) {
          errors.add(line.strip());
        }
      });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    } catch (SetupException e) {
      throw failure(what, errors, log, e);
    }
  }

  private void configure(String what, List<Fragment> fragments) throws IOException, SetupException {
    Files.createDirectories(objects);
    Path asked = objects.resolve("asked.config");
    Files.writeString(asked, fragments.stream().map(Fragment::text).collect(Collectors.joining()));
    try {
      make("allnoconfig").with("KCONFIG_ALLCONFIG", asked.toString()).run();
    } catch (SetupException e) {
      throw new KernelUnfitException(
          "%s cannot be configured: %s".formatted(what, e.getMessage()), e);
    }
    String configuration = Files.readString(objects.resolve(CONFIG));
    // What the base asks for and a kernel has not is told when that kernel is tried.
    for (Fragment fragment : fragments.subList(1, fragments.size())) {
      String unmet = fragment.unmet(configuration);
      if (!unmet.isEmpty()) {
        throw new KernelUnfitException("%s cannot be had: %s".formatted(what, unmet));
      }
    }
  }

  private static SetupException failure(
      String what, List<String> errors, Path log, SetupException cause) {
    String sentence =
        "%s does not build: %s (all of it is in %s)"
            .formatted(what, errors.isEmpty() ? "make failed" : errors.getFirst(), log);
    return errors.stream().anyMatch(line -> line.contains(DISK_FULL))
        ? new SetupException(sentence, cause)
        : new KernelUnfitException(sentence, cause);
  }

  /** Whether a line of make's is why it fails. */
  static boolean isError(String line) {
    return line.contains(" error: ")
        || line.contains("undefined reference")
        || line.contains(DISK_FULL)
        || line.contains("*** [");
  }

  private static void note(BufferedWriter log, String line) {
    try {
      log.write(line);
      log.newLine();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private SetupProgram make(String target) {
    return KernelBuild.make(tree, target, "O=" + objects)
        // Else it asks git, and is another version with every commit.
        .with("LOCALVERSION", "");
  }
}
