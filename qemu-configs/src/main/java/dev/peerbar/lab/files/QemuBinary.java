package dev.peerbar.lab.files;

import java.util.List;
import java.util.Map;

/**
 * How to start QEMU on this machine.
 *
 * @param command the program, with the loader and search paths of an unpacked tree before and after
 *     it
 * @param environment what it needs in the environment
 */
public record QemuBinary(List<String> command, Map<String, String> environment) {
  public QemuBinary {
    command = List.copyOf(command);
    environment = Map.copyOf(environment);
  }

  /** A QEMU that runs as it is. */
  public static QemuBinary of(String program) {
    return new QemuBinary(List.of(program), Map.of());
  }
}
