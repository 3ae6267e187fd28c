package dev.peerbar.lab.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Devices that a running QEMU is given and loses.
 *
 * @param monitor of QEMU
 */
public record HotPlug(Qmp monitor) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Where devices are that have a name. */
  private static final String DEVICES = "/machine/peripheral";

  /**
   * Adds the endpoint that a vfio-user server offers at a socket.
   *
   * @param id of the device
   * @param port the id of the port that it is plugged into
   * @throws IOException with QEMU's reason if it does not take it
   */
  public void add(String id, String port, Path socket) throws IOException {
    ObjectNode device =
        JSON.createObjectNode().put("driver", "vfio-user-pci").put("id", id).put("bus", port);
    device.putObject("socket").put("type", "unix").put("path", socket.toString());
    monitor.execute("device_add", device);
  }

  /** Asks for a device's removal: of the guest, if it runs and its slot is powered. */
  public void remove(String id) throws IOException {
    monitor.execute("device_del", JSON.createObjectNode().put("id", id));
  }

  /** Whether a device is there. */
  public boolean has(String id) throws IOException {
    for (JsonNode device :
        monitor.execute("qom-list", JSON.createObjectNode().put("path", DEVICES))) {
      if (device.path("name").asText().equals(id)) {
        return true;
      }
    }
    return false;
  }
}
