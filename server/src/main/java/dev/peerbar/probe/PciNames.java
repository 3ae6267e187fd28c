package dev.peerbar.probe;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPInputStream;

/** Names of vendors, devices and classes, from a list of PCI ids as pciutils has it. */
final class PciNames {
  private static final List<Path> PLACES =
      List.of(
          Path.of("/usr/share/misc/pci.ids"),
          Path.of("/usr/share/hwdata/pci.ids"),
          Path.of("/usr/share/misc/pci.ids.gz"),
          Path.of("/usr/share/pci.ids"));

  private static final String CLASSES = "C ";
  private static final String COMPRESSED = ".gz";
  private static final int NAME_GAP = 2;

  /** By the hex digits on the way to the entry, with blanks between. */
  private final Map<String, String> names = new HashMap<>();

  private PciNames() {}

  /** Without names: everything is shown as numbers. */
  static PciNames none() {
    return new PciNames();
  }

  /** The list of this machine, or none. */
  static PciNames ofMachine() {
    for (Path place : PLACES) {
      if (Files.isReadable(place)) {
        try {
          return of(place);
        } catch (IOException e) {
          // As good as no list: names are a courtesy.
        }
      }
    }
    return none();
  }

  /** The list in a file. */
  static PciNames of(Path file) throws IOException {
    PciNames names = new PciNames();
    try (InputStream raw = Files.newInputStream(file);
        InputStream bytes = file.toString().endsWith(COMPRESSED) ? new GZIPInputStream(raw) : raw;
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(bytes, StandardCharsets.UTF_8))) {
      names.read(lines);
    }
    return names;
  }

  private void read(BufferedReader lines) throws IOException {
    List<String> path = new ArrayList<>();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      int depth = 0;
      while (depth < line.length() && line.charAt(depth) == '\t') {
        depth++;
      }
      int gap = line.indexOf("  ", depth);
      if (depth > path.size() || gap < 0 || line.startsWith("#")) {
        continue;
      }
      path.subList(depth, path.size()).clear();
      path.add(line.substring(depth, gap));
      names.putIfAbsent(String.join(" ", path), line.substring(gap + NAME_GAP).strip());
    }
  }

  private Optional<String> name(String key) {
    return Optional.ofNullable(names.get(key));
  }

  Optional<String> vendor(int vendor) {
    return name("%04x".formatted(vendor));
  }

  Optional<String> device(int vendor, int device) {
    return name("%04x %04x".formatted(vendor, device));
  }

  Optional<String> subsystem(ConfigHeader header) {
    Optional<String> own =
        name(
            "%04x %04x %04x %04x"
                .formatted(
                    header.vendor(),
                    header.device(),
                    header.subsystemVendor(),
                    header.subsystem()));
    boolean same =
        header.subsystemVendor() == header.vendor() && header.subsystem() == header.device();
    return own.isEmpty() && same ? device(header.vendor(), header.device()) : own;
  }

  Optional<String> programmingInterface(int classCode, int programmingInterface) {
    return name(
        CLASSES
            + "%02x %02x %02x".formatted(classCode >> 8, classCode & 0xff, programmingInterface));
  }

  /** The sub-class, or the base class with the number if only that has a name. */
  Optional<String> classOf(int classCode) {
    String base = CLASSES + "%02x".formatted(classCode >> 8);
    return name(base + " %02x".formatted(classCode & 0xff))
        .or(() -> name(base).map(name -> name + " [%04x]".formatted(classCode)));
  }

  /** A vendor and a device in a sentence, with numbers for what has no name. */
  static String pair(int vendor, int device, Optional<String> vendorName, Optional<String> name) {
    if (vendorName.isEmpty()) {
      return "Device %04x:%04x".formatted(vendor, device);
    }
    return vendorName.get() + " " + name.orElseGet(() -> "Device %04x".formatted(device));
  }
}
