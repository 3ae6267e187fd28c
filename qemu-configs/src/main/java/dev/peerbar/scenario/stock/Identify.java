package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;
import static dev.peerbar.scenario.stock.Answers.check;
import static dev.peerbar.scenario.stock.Answers.checkBits;
import static dev.peerbar.scenario.stock.Answers.checkText;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestProgram.Outcome;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.util.Optional;
import java.util.stream.StreamSupport;

/** nvme(1) asks the endpoint what it is. */
public final class Identify implements Scenario<StockNvme> {
  private static final int VERSION_1_4 = 0x10400;
  private static final int TYPE_IO = 1;

  /** Doorbell Buffer Config (NVMe 1.4 figure 247, OACS). */
  private static final int OACS_DOORBELL_BUFFER = 1 << 8;

  private static final int ENTRY_SIZES_SQ = 0x66;
  private static final int ENTRY_SIZES_CQ = 0x44;

  /** Deallocated blocks read as zeros (NVMe 1.4 figure 245, DLFEAT). */
  private static final int DLFEAT_MASK = 7;

  private static final int DLFEAT_ZEROS = 1;

  private static final int CSTS_READY = 1;

  /** CRE and CMSE (NVMe 1.4 3.1.13). */
  private static final int CMBMSC_ENABLED = 3;

  @Override
  public Description description() {
    return Description.of(
        "stock.identify",
        "nvme list, id-ctrl, id-ns, ns-descs, show-regs",
        "what the endpoint is, in every field that was looked at");
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.isForEverything(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    NvmeDisk disk = nvme.disk();
    NvmeController.Identity identity = nvme.underTest().identity();
    JsonNode listed = listed(nvme, disk);
    checkText(listed, "SerialNumber", identity.serialNumber());
    checkText(listed, "ModelNumber", identity.model());
    check(listed, "PhysicalSize", NvmeController.SIZE);
    JsonNode controller = disk.json("id-ctrl");
    checkText(controller, "sn", identity.serialNumber());
    checkText(controller, "mn", identity.model());
    check(controller, "vid", identity.vendorId());
    check(controller, "ver", VERSION_1_4);
    check(controller, "cntrltype", TYPE_IO);
    check(controller, "mdts", 7);
    check(controller, "aerl", 3);
    check(controller, "sqes", ENTRY_SIZES_SQ);
    check(controller, "cqes", ENTRY_SIZES_CQ);
    checkBits(controller, "oacs", OACS_DOORBELL_BUFFER);
    checkBits(controller, "oncs", identity.optionalCommands());
    checkBits(controller, "vwc", 1);
    checkBits(controller, "sgls", 1);
    JsonNode namespace = disk.jsonOfNamespace("id-ns");
    int format = namespace.path("flbas").asInt() & 0xf;
    long block = 1L << namespace.path("lbafs").path(format).path("ds").asInt();
    check(namespace, "nsze", NvmeController.SIZE / block);
    check(namespace, "ncap", NvmeController.SIZE / block);
    int dlfeat = namespace.path("dlfeat").asInt();
    unless((dlfeat & DLFEAT_MASK) == DLFEAT_ZEROS, "dlfeat %d", dlfeat);
    JsonNode descriptors = disk.jsonOfNamespace("ns-descs").path("ns-descs");
    unless(!descriptors.isEmpty(), "no namespace descriptors");
    return "%s %s, firmware %s, %d blocks of %d, oacs 0x%x, oncs 0x%x, sgls 0x%x, %s"
        .formatted(
            identity.model(),
            identity.serialNumber(),
            controller.path("fr").asText().strip(),
            namespace.path("nsze").asLong(),
            block,
            controller.path("oacs").asInt(),
            controller.path("oncs").asInt(),
            controller.path("sgls").asInt(),
            registers(nvme, disk));
  }

  /** nvme(1) maps the BAR for itself, which kernels may refuse. */
  private static String registers(StockNvme nvme, NvmeDisk disk) throws Exception {
    Optional<String> hidden = GuestFeature.BARS_OF_DRIVERS.missingIn(nvme.lab());
    if (hidden.isPresent()) {
      return "no registers: " + hidden.get();
    }
    JsonNode registers = disk.json("show-regs");
    check(registers, "vs", VERSION_1_4);
    checkBits(registers, "csts", CSTS_READY);
    // Without P2PDMA the driver turns the CMB off.
    if (nvme.lab().kernelOptions().missing(KernelNeed.P2PDMA).isEmpty()) {
      checkBits(registers, "cmbmsc", CMBMSC_ENABLED);
      checkBits(registers, "cmbsz", 1);
    }
    return "cap 0x%x".formatted(registers.path("cap").asLong());
  }

  private JsonNode listed(StockNvme nvme, NvmeDisk disk) throws Exception {
    Outcome list = nvme.guest().run("nvme", "list", "--output-format=json");
    unless(list.status() == 0, "nvme list: %s", list);
    JsonNode devices = new ObjectMapper().readTree(list.out());
    return StreamSupport.stream(devices.path("Devices").spliterator(), false)
        .filter(d -> d.path("DevicePath").asText().equals(disk.path()))
        .findFirst()
        .orElseThrow(() -> new UnexpectedException("not in the list: " + list.out()));
  }
}
