package dev.peerbar.devices.nvme.admin;

import java.util.Optional;

/** Features that the controller has (NVMe 1.4 figure 275). None can be saved, all be changed. */
enum Feature {
  ARBITRATION(0x01),
  POWER_MANAGEMENT(0x02),
  TEMPERATURE_THRESHOLD(0x04),
  ERROR_RECOVERY(0x05),
  VOLATILE_WRITE_CACHE(0x06),
  NUMBER_OF_QUEUES(0x07),
  INTERRUPT_COALESCING(0x08),
  INTERRUPT_VECTOR_CONFIGURATION(0x09),
  WRITE_ATOMICITY_NORMAL(0x0a),
  ASYNCHRONOUS_EVENT_CONFIGURATION(0x0b),
  TIMESTAMP(0x0e);

  private static final int NAMESPACE_SPECIFIC = 1 << 1;
  private static final int CHANGEABLE = 1 << 2;

  private final int id;

  Feature(int id) {
    this.id = id;
  }

  static Optional<Feature> of(int id) {
    for (Feature feature : values()) {
      if (feature.id == id) {
        return Optional.of(feature);
      }
    }
    return Optional.empty();
  }

  boolean namespaceSpecific() {
    return this == ERROR_RECOVERY;
  }

  /** What Get Features answers for Supported Capabilities. */
  int capabilities() {
    return CHANGEABLE | (namespaceSpecific() ? NAMESPACE_SPECIFIC : 0);
  }
}
