package dev.peerbar.scenario.report;

import dev.peerbar.cli.Main;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** What runs scenarios here: this program, on this machine. */
final class Here {
  private static final String LAUNCHER = "peerbar.launcher";
  private static final Path HOST_NAME = Path.of("/proc/sys/kernel/hostname");
  private static final int PATIENCE_SECONDS = 5;
  private static String version;

  private Here() {}

  static Results.Host host() {
    return new Results.Host(
        name(),
        Runtime.getRuntime().availableProcessors(),
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        System.getProperty("java.vm.name") + " " + Runtime.version());
  }

  private static String name() {
    try {
      // Asks no name server.
      return Files.readString(HOST_NAME).strip();
    } catch (IOException e) {
      return "";
    }
  }

  /** The version, and in a checkout the commit; asked for once. */
  static synchronized String version() {
    if (version == null) {
      String packaged = Main.class.getPackage().getImplementationVersion();
      version = ((packaged == null ? "" : packaged) + " " + commit()).strip();
    }
    return version;
  }

  private static String commit() {
    String launcher = System.getProperty(LAUNCHER);
    Path checkout = launcher == null ? null : Path.of(launcher).toAbsolutePath().getParent();
    if (checkout == null || !Files.exists(checkout.resolve(".git"))) {
      return "";
    }
    try {
      Process git =
          new ProcessBuilder(
                  "git", "-C", checkout.toString(), "describe", "--always", "--dirty", "--tags")
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      git.getOutputStream().close();
      if (!git.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        git.destroyForcibly();
        return "";
      }
      return git.exitValue() == 0 ? git.inputReader().readAllAsString().strip() : "";
    } catch (IOException e) {
      return "";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "";
    }
  }
}
