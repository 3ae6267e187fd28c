package dev.peerbar.devices.nvme.admin;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/**
 * Who the controller is. The names derive from the serial number, so that they are the same at
 * every start and differ between endpoints: hosts refuse a second namespace or subsystem of one
 * name (NVMe 1.4 7.9, 7.10).
 */
public final class Identity {
  static final int VENDOR_ID = 0x1234;
  static final String MODEL = "Peerbar NVMe";
  static final int FIRMWARE_BYTES = 8;

  /** Of nobody: its second lowest bit says that it is locally administered. */
  static final byte[] OUI = {0x02, 0x50, 0x42};

  private static final String UNPACKAGED = "dev";

  private final String serialNumber;
  private final String firmware;
  private final UUID subsystem;
  private final UUID namespace;

  public Identity(String serialNumber) {
    this.serialNumber = serialNumber;
    String version = Identity.class.getPackage().getImplementationVersion();
    firmware = version == null ? UNPACKAGED : version.replace("-SNAPSHOT", "");
    subsystem = derive("subsystem");
    namespace = derive("namespace 1");
  }

  private UUID derive(String what) {
    String name = "peerbar nvme %s %s".formatted(serialNumber, what);
    return UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.US_ASCII));
  }

  String serialNumber() {
    return serialNumber;
  }

  /** Firmware revision, perhaps longer than its field. */
  String firmware() {
    return firmware;
  }

  /** The NVM Subsystem NVMe Qualified Name. */
  String subsystemName() {
    return "nqn.2014-08.org.nvmexpress:uuid:" + subsystem;
  }

  /** The PCI function's Device Serial Number, an EUI-64. */
  public long deviceSerialNumber() {
    return ByteBuffer.wrap(eui64(subsystem)).getLong();
  }

  /** Of the namespace, big-endian. */
  byte[] eui64() {
    return eui64(namespace);
  }

  private static byte[] eui64(UUID from) {
    byte[] id = bytes(from, Long.BYTES);
    System.arraycopy(OUI, 0, id, 0, OUI.length);
    return id;
  }

  /** Namespace Globally Unique Identifier, big-endian: the OUI comes after 8 bytes of our own. */
  byte[] nguid() {
    byte[] id = bytes(namespace, 2 * Long.BYTES);
    System.arraycopy(OUI, 0, id, Long.BYTES, OUI.length);
    return id;
  }

  /** Of the namespace, big-endian. */
  byte[] uuid() {
    return bytes(namespace, 2 * Long.BYTES);
  }

  private static byte[] bytes(UUID uuid, int length) {
    ByteBuffer all = ByteBuffer.allocate(2 * Long.BYTES);
    all.putLong(uuid.getMostSignificantBits()).putLong(uuid.getLeastSignificantBits());
    byte[] some = new byte[length];
    all.flip().get(some);
    return some;
  }
}
