package dev.peerbar.scenario.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.lab.qemu.Qemu;
import dev.peerbar.scenario.ServedEndpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A guest's PCI devices, from the command line that QEMU was given. */
final class MachineFile {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String OPTION = "-device ";
  private static final String CONTINUED = " \\";

  /** As the ends of a served endpoint's name, and of its place in a guest, are. */
  private static final String SEPARATOR = "-";

  private MachineFile() {}

  /**
   * Looks for them in a guest's logs.
   *
   * @param endpoints that it has of this process
   * @return what is on PCI, in order; empty if the logs do not say
   */
  static List<Results.Device> in(Path logs, List<ServedEndpoint> endpoints) {
    try {
      return parse(Files.readString(logs.resolve(Qemu.COMMAND_LOG)), endpoints);
    } catch (IOException e) {
      return List.of();
    }
  }

  static List<Results.Device> parse(String commandLine, List<ServedEndpoint> endpoints) {
    List<Results.Device> devices = new ArrayList<>();
    for (String raw : commandLine.lines().map(String::strip).toList()) {
      if (raw.startsWith(OPTION)) {
        String value =
            raw.endsWith(CONTINUED) ? raw.substring(0, raw.length() - CONTINUED.length()) : raw;
        Map<String, String> properties = properties(unquoted(value.substring(OPTION.length())));
        // Others are on buses that are no picture of how transactions are routed.
        if (properties.containsKey("bus") && !properties.get("bus").startsWith("serial")) {
          devices.add(device(properties, endpoints));
        }
      }
    }
    return List.copyOf(devices);
  }

  private static Results.Device device(Map<String, String> of, List<ServedEndpoint> endpoints) {
    String id = of.getOrDefault("id", "");
    List<ServedEndpoint> served =
        of.get("driver").equals("vfio-user-pci")
            ? endpoints.stream().filter(e -> e.name().endsWith(SEPARATOR + id)).toList()
            : List.of();
    return new Results.Device(
        id,
        of.get("driver"),
        of.get("bus"),
        of.getOrDefault("slot", ""),
        served.isEmpty() ? "" : served.getFirst().name(),
        served.stream()
            .flatMap(e -> e.bars().stream())
            .map(bar -> new Results.Bar(bar.index(), bar.size(), bar.memory()))
            .toList());
  }

  private static String unquoted(String word) {
    return word.startsWith("'") ? word.substring(1, word.length() - 1) : word;
  }

  private static Map<String, String> properties(String value) {
    Map<String, String> properties = new HashMap<>();
    if (value.startsWith("{")) {
      try {
        for (Map.Entry<String, JsonNode> property : JSON.readTree(value).properties()) {
          properties.put(property.getKey(), property.getValue().asText());
        }
      } catch (JsonProcessingException e) {
        return Map.of();
      }
    } else {
      String[] words = value.split(",");
      properties.put("driver", words[0]);
      for (String word : words) {
        String[] pair = word.split("=", 2);
        if (pair.length == 2) {
          properties.put(pair[0], pair[1]);
        }
      }
    }
    return properties;
  }
}
