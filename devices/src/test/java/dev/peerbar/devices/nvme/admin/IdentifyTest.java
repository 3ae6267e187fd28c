package dev.peerbar.devices.nvme.admin;

import static dev.peerbar.devices.nvme.admin.AdminFixture.identify;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.pci.DoorbellMode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class IdentifyTest {
  private final AdminFixture nvme = new AdminFixture();

  private static String text(ByteBuffer page, int offset, int length) {
    return new String(page.array(), offset, length, StandardCharsets.US_ASCII);
  }

  @Test
  void controllerSaysWhoItIs() {
    ByteBuffer page = nvme.run(identify(1, 0)).data();

    assertThat(page.capacity()).isEqualTo(4096);
    assertThat(page.getShort(0)).isEqualTo((short) 0x1234);
    assertThat(page.getShort(2)).isEqualTo((short) 0x1234);
    assertThat(text(page, 4, 20)).isEqualTo("PB0000000001        ");
    assertThat(text(page, 24, 40).stripTrailing()).isEqualTo("Peerbar NVMe");
    assertThat(text(page, 64, 8)).matches("[!-~]+ *");
    assertThat(page.getInt(80)).isEqualTo(0x0001_0400);
    assertThat(page.get(111)).as("CNTRLTYPE").isEqualTo((byte) 1);
    String name = text(page, 768, 256);
    assertThat(name.substring(0, name.indexOf(0)))
        .matches("nqn\\.2014-08\\.org\\.nvmexpress:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
  }

  @Test
  void shadowDoorbellsAreForHostsWithMessageInterrupts() {
    nvme.msix = false;

    assertThat(nvme.run(identify(1, 0)).data().getShort(256)).as("OACS").isZero();
  }

  @Test
  void shadowDoorbellsAreNotOfferedWhereTheyAreOff() {
    AdminFixture other =
        new AdminFixture(new NvmeConfig(512, 0, 1, DoorbellMode.TRAP, false, "OTHER"));

    assertThat(other.run(identify(1, 0)).data().getShort(256)).as("OACS").isZero();
  }

  @Test
  void controllerSaysWhatItCanDo() {
    ByteBuffer page = nvme.run(identify(1, 0)).data();

    assertThat(page.get(77)).as("MDTS: 512 KiB").isEqualTo((byte) 7);
    assertThat(page.getInt(92)).as("OAES").isEqualTo(0x100);
    assertThat(page.getShort(256)).as("OACS").isEqualTo((short) 0x100);
    assertThat(page.get(258)).as("ACL").isEqualTo((byte) 3);
    assertThat(page.get(259)).as("AERL").isEqualTo((byte) 3);
    assertThat(page.get(260)).as("FRMW").isEqualTo((byte) 3);
    assertThat(page.get(261)).as("LPA").isEqualTo((byte) 6);
    assertThat(page.get(262)).as("ELPE").isEqualTo((byte) 63);
    assertThat(page.getShort(266)).as("WCTEMP").isLessThan(page.getShort(268));
    assertThat(page.get(512)).as("SQES").isEqualTo((byte) 0x66);
    assertThat(page.get(513)).as("CQES").isEqualTo((byte) 0x44);
    assertThat(page.getInt(516)).as("NN").isEqualTo(1);
    assertThat(page.getShort(520)).as("ONCS").isEqualTo((short) 0xdd);
    assertThat(page.get(525)).as("VWC").isEqualTo((byte) 7);
    assertThat(page.getInt(536) & 3).as("SGLS").isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({"512, 9, 7", "4096, 12, 0"})
  void namespaceIsAsLargeAsItsStorage(int lbaSize, int lbaSizeLog2, int granularity) {
    AdminFixture other =
        new AdminFixture(new NvmeConfig(lbaSize, 0, 1, DoorbellMode.TRAP, "serial"));

    ByteBuffer page = other.run(identify(0, 1)).data();

    long blocks = AdminFixture.STORAGE_BYTES / lbaSize;
    assertThat(page.getLong(0)).isEqualTo(blocks);
    assertThat(page.getLong(8)).isEqualTo(blocks);
    assertThat(page.getLong(16)).isEqualTo(blocks);
    assertThat(page.get(25)).as("NLBAF").isZero();
    assertThat(page.get(26)).as("FLBAS").isZero();
    assertThat(page.get(33)).as("DLFEAT").isEqualTo((byte) 9);
    assertThat(page.getShort(64)).as("NPWG").isEqualTo((short) granularity);
    assertThat(page.getShort(68)).as("NPDG").isEqualTo((short) granularity);
    assertThat(page.getInt(128)).as("LBAF0").isEqualTo(lbaSizeLog2 << 16);
  }

  @Test
  void descriptorsAndNamespaceTellTheSameNames() {
    ByteBuffer namespace = nvme.run(identify(0, 1)).data();
    byte[] descriptors = nvme.run(identify(3, 1)).bytes();

    HexFormat hex = HexFormat.of();
    String eui64 = hex.formatHex(namespace.array(), 120, 128);
    String nguid = hex.formatHex(namespace.array(), 104, 120);
    String all = hex.formatHex(descriptors);
    assertThat(eui64).startsWith("025042");
    assertThat(nguid.substring(16)).startsWith("025042");
    assertThat(all.substring(0, 72))
        .isEqualTo("01080000" + eui64 + "02100000" + nguid + "03100000");
    assertThat(hex.formatHex(descriptors, 36, 52)).isNotEqualTo("0".repeat(32));
    assertThat(descriptors[52]).as("no fourth").isZero();
  }

  /** Hosts refuse a second namespace, or a second subsystem's controller, of the same name. */
  @Test
  void noTwoSerialNumbersShareAName() {
    Set<String> names = new HashSet<>();
    for (int i = 0; i < 100; i++) {
      Identity identity = new Identity("PB%010d".formatted(i));
      names.add(identity.subsystemName());
      names.add(HexFormat.of().formatHex(identity.eui64()));
      names.add(HexFormat.of().formatHex(identity.nguid()));
      names.add(HexFormat.of().formatHex(identity.uuid()));
      names.add(Long.toHexString(identity.deviceSerialNumber()));
    }
    assertThat(names).hasSize(500);
  }

  @Test
  void namesAreTheSameAtEveryStart() {
    Identity first = new Identity("PB1");
    Identity second = new Identity("PB1");

    assertThat(second.subsystemName()).isEqualTo(first.subsystemName());
    assertThat(second.uuid()).isEqualTo(first.uuid());
    assertThat(UUID.fromString(first.subsystemName().substring(32))).isNotNull();
  }

  @Test
  void listsHaveTheOneNamespace() {
    for (int cns : new int[] {0x02, 0x10}) {
      ByteBuffer list = nvme.run(identify(cns, 0)).data();
      assertThat(list.getInt(0)).isEqualTo(1);
      assertThat(list.getInt(4)).isZero();
      assertThat(nvme.run(identify(cns, 1)).data().getInt(0)).isZero();
      assertThat(nvme.run(identify(cns, 0xffff_fffd)).data().getInt(0)).isZero();
      assertThat(nvme.run(identify(cns, 0xffff_fffe)).status())
          .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
      assertThat(nvme.run(identify(cns, 0xffff_ffff)).status())
          .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
    }
  }

  @Test
  void listsHaveTheOneController() {
    assertThat(nvme.run(identify(0x13, 0)).data().getInt(0)).isEqualTo(1);
    assertThat(nvme.run(identify(0x13 | 1 << 16, 0)).data().getInt(0)).isZero();
    assertThat(nvme.run(identify(0x12, 1)).data().getInt(0)).isEqualTo(1);
    assertThat(nvme.run(identify(0x12, 2)).status()).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
    assertThat(nvme.run(identify(0x12, -1)).status()).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
  }

  /** Linux asks for what came after 1.4, and its questions are not to fill the error log. */
  @Test
  void theNvmCommandSetHasNothingToAdd() {
    assertThat(nvme.run(identify(0x05, 1)).bytes()).hasSize(4096).containsOnly(0);
    assertThat(nvme.run(identify(0x06, 0)).bytes()).hasSize(4096).containsOnly(0);
    assertThat(nvme.errors.count()).isZero();

    assertThat(nvme.run(identify(0x05, 2)).status()).isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
    for (int cns : new int[] {0x05, 0x06}) {
      assertThat(nvme.run(identify(cns, 1).dword(11, 2 << 24)).status())
          .as("zoned namespaces")
          .isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 2, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff})
  void noOtherNamespaceExists(int nsid) {
    for (int cns : new int[] {0x00, 0x03, 0x05, 0x11}) {
      assertThat(nvme.run(identify(cns, nsid)).status())
          .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
      assertThat(nvme.errorLocation()).isEqualTo("dword 1 bit 0");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0x04, 0x07, 0x08, 0x14, 0x15, 0x16, 0x17, 0x20, 0xff})
  void otherStructuresAreRefused(int cns) {
    assertThat(nvme.run(identify(cns, 1)).status()).isEqualTo(Status.INVALID_FIELD_IN_COMMAND);
    assertThat(nvme.errorLocation()).isEqualTo("dword 10 bit 0");
  }
}
