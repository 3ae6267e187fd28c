package dev.peerbar.scenario.life;

import com.fasterxml.jackson.databind.JsonNode;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.QemuBinary;
import dev.peerbar.lab.qemu.HotPlug;
import dev.peerbar.lab.qemu.Qemu;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.scenario.Requirement;
import dev.peerbar.server.EndpointServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** What guests and QEMU have to be able to do for devices that come and go. */
enum HotPlugging implements Requirement {
  /** The kernel handles the slot's hot plug by itself. */
  NATIVE {
    @Override
    public Optional<String> missingIn(Lab lab) throws IOException {
      String slot = "/sys/bus/pci/slots/" + ThirdEndpoint.SLOT;
      return lab.guest().system().exists(slot)
          ? Optional.empty()
          : Optional.of(
              "the kernel has no hot plug of PCI Express ports (CONFIG_HOTPLUG_PCI_PCIE)");
    }
  },

  /** QEMU survives the removal of a vfio-user device: one that has no guest is tried. */
  REMOVAL {
    @Override
    public Optional<String> missingIn(Lab lab) throws IOException {
      QemuBinary qemu = lab.files().qemu();
      Optional<String> known = REMOVALS.get(qemu);
      if (known == null) {
        known = tryRemoval(qemu);
        REMOVALS.put(qemu, known);
      }
      return known;
    }
  };

  /** What came of removals, by QEMU. */
  private static final Map<QemuBinary, Optional<String>> REMOVALS = new ConcurrentHashMap<>();

  private static final String ID = "tried";
  private static final String PORT = "slot-1";
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private static Optional<String> tryRemoval(QemuBinary binary) throws IOException {
    Path directory = Files.createTempDirectory("peerbar-");
    Path socket = directory.resolve("tried.sock");
    Path run = Files.createDirectory(directory.resolve("run"));
    Path logs = Files.createDirectory(directory.resolve("logs"));
    try (EndpointServer server = HotAdd.serve(socket);
        Qemu qemu =
            Qemu.start(
                commandLine(binary, run),
                binary.environment(),
                /* interactive= */ false,
                run,
                logs)) {
      return removal(qemu, server, socket);
    } finally {
      Lab.delete(directory);
    }
  }

  /** A machine that does not run, of whose empty slot no guest has turned on the power. */
  private static List<String> commandLine(QemuBinary binary, Path run) {
    List<String> line = new ArrayList<>(binary.command());
    line.addAll(List.of("-nodefaults", "-no-user-config", "-display", "none", "-S"));
    line.addAll(List.of("-machine", "q35", "-accel", "tcg", "-m", "64M"));
    // Else it is firmware's to take devices away.
    line.addAll(List.of("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"));
    line.addAll(List.of("-device", "pcie-root-port,id=%s,chassis=1,slot=1".formatted(PORT)));
    line.addAll(List.of("-qmp", "unix:%s/qmp.sock,server=on,wait=off".formatted(run)));
    return line;
  }

  private static Optional<String> removal(Qemu qemu, EndpointServer server, Path socket)
      throws IOException {
    try (Qmp monitor = qemu.monitor()) {
      JsonNode version = monitor.execute("query-version").path("qemu");
      String name =
          "QEMU %s.%s.%s"
              .formatted(
                  version.path("major").asText(),
                  version.path("minor").asText(),
                  version.path("micro").asText());
      HotPlug hotPlug = new HotPlug(monitor);
      hotPlug.add(ID, PORT, socket);
      try {
        return isRemoved(hotPlug, server)
            ? Optional.empty()
            : Optional.of(name + " does not remove a vfio-user device (device_del)");
      } catch (IOException e) {
        if (!qemu.awaitEnd(LIMIT)) {
          throw e;
        }
        return Optional.of(
            "%s aborts at device_del of a vfio-user device: %s"
                .formatted(name, qemu.end().replaceFirst(".*qemu-system-\\w+: ", "")));
      }
    }
  }

  /**
   * A device has no name any more before it is taken apart: only when the server has lost its
   * client that is over, in one way or the other.
   */
  private static boolean isRemoved(HotPlug hotPlug, EndpointServer server) throws IOException {
    hotPlug.remove(ID);
    long end = System.nanoTime() + LIMIT.toNanos();
    while (hotPlug.has(ID)
        || server.holdings().dmaMappings() > 0
        || !server.holdings().eventDescriptors().isEmpty()) {
      if (System.nanoTime() >= end) {
        return false;
      }
    }
    // One that has just ended answers no more.
    return !hotPlug.has(ID);
  }
}
