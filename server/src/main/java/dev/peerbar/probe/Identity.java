package dev.peerbar.probe;

import java.util.Optional;

/**
 * Who a function is, by name where there is one.
 *
 * @param names where names come from
 * @param numeric numbers instead of names
 */
record Identity(ConfigHeader header, PciNames names, boolean numeric) {

  /** What lspci shows right of the slot. */
  String title() {
    StringBuilder text = new StringBuilder("%s: %s".formatted(classText(), deviceText()));
    if (header.revision() != 0) {
      text.append(" (rev %02x)".formatted(header.revision()));
    }
    Optional<String> interfaceName = interfaceName();
    if (header.programmingInterface() != 0 || interfaceName.isPresent()) {
      text.append(" (prog-if %02x".formatted(header.programmingInterface()))
          .append(interfaceName.map(" [%s]"::formatted).orElse(""))
          .append(')');
    }
    return text.toString();
  }

  private String classText() {
    String number = "%04x".formatted(header.classCode());
    return numeric ? number : className().orElse("Class " + number);
  }

  Optional<String> className() {
    return names.classOf(header.classCode());
  }

  Optional<String> interfaceName() {
    return names.programmingInterface(header.classCode(), header.programmingInterface());
  }

  private String deviceText() {
    return numeric
        ? "%04x:%04x".formatted(header.vendor(), header.device())
        : PciNames.pair(header.vendor(), header.device(), vendorName(), deviceName());
  }

  Optional<String> vendorName() {
    return names.vendor(header.vendor());
  }

  Optional<String> deviceName() {
    return names.device(header.vendor(), header.device());
  }

  /** Empty if the function names none. */
  Optional<String> subsystem() {
    if (!header.hasSubsystem()) {
      return Optional.empty();
    }
    int vendor = header.subsystemVendor();
    return Optional.of(
        numeric
            ? "%04x:%04x".formatted(vendor, header.subsystem())
            : PciNames.pair(
                vendor, header.subsystem(), names.vendor(vendor), names.subsystem(header)));
  }
}
