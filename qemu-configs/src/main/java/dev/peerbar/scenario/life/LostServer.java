package dev.peerbar.scenario.life;

import java.nio.file.Path;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Lines of QEMU's that say that the server of a device has gone, and that it could not tell it
 * something. That of which a line names no socket has to be borne with.
 */
final class LostServer implements Predicate<String> {
  private static final Pattern NAMELESS =
      Pattern.compile(
          "^\\S*qemu-system-\\w+: ("
              + "failed to read header: EOF"
              + "|(vfio_user_\\w+: )?Unable to write to socket: Broken pipe"
              + "|(vfio_user_\\w+: )?timed out waiting for reply"
              + "|(vfio_user_\\w+: )?server closed socket"
              + "|vfio_container_dma_(un)?map\\(0x[0-9a-f]+, .*\\) = -\\d+ \\(.*\\))$");

  private final String device;

  /**
   * @param socket of the server that has gone
   */
  LostServer(Path socket) {
    device = "vfio-user:" + socket;
  }

  @Override
  public boolean test(String line) {
    return NAMELESS.matcher(line).find()
        || line.contains(device) && line.endsWith("failed: Bad address");
  }
}
