package dev.peerbar.cli.start;

import dev.peerbar.cli.Main;
import java.nio.file.Path;

/**
 * The server of a rehearsal: one process in which the command line of every endpoint is carried
 * out, because a JVM begins with one cache only.
 */
final class RehearsedServer {
  private static final String[] HBM = {"hbm", "--bar-size=1M"};
  private static final String[] NVME = {"nvme", "--size=1M", "--cmb=1M"};

  private RehearsedServer() {}

  /** Serves in a folder until SIGTERM, and says so once for each endpoint. */
  public static void main(String[] arguments) {
    Path folder = Path.of(arguments[0]);
    serve(hbm(folder), HBM);
    serve(nvme(folder), NVME);
  }

  static Path hbm(Path folder) {
    return folder.resolve("hbm.sock");
  }

  static Path nvme(Path folder) {
    return folder.resolve("nvme.sock");
  }

  private static void serve(Path socket, String[] endpoint) {
    Thread.ofPlatform()
        .start(() ->
            Main.commandLine()
                .execute("serve", endpoint[0], "--socket-path=" + socket, endpoint[1]));
  }
}
