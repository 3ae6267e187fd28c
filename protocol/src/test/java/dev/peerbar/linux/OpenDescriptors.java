package dev.peerbar.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The descriptors that this process has open, for tests that look for leaks. */
public final class OpenDescriptors {
  private static final int O_CLOEXEC = 02000000;

  private OpenDescriptors() {}

  /** How many memory files of a name are open. Names make a test independent of all others. */
  public static long memoryFiles(String name) throws IOException {
    try (Stream<Path> links = Files.list(Path.of("/proc/self/fd"))) {
      return links.filter(link -> target(link).startsWith("/memfd:" + name + " ")).count();
    }
  }

  /** Whether a descriptor is closed on exec. */
  public static boolean closedOnExec(FileDescriptor descriptor) throws IOException {
    Path info = Path.of("/proc/self/fdinfo", Integer.toString(descriptor.number()));
    List<String> lines = Files.readAllLines(info);
    String flags =
        lines.stream().filter(line -> line.startsWith("flags:")).findFirst().orElseThrow();
    return (Integer.parseInt(flags.substring("flags:".length()).strip(), 8) & O_CLOEXEC) != 0;
  }

  private static String target(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (IOException e) {
      // Closed since it was listed, as that of the listing itself is.
      return "";
    }
  }
}
