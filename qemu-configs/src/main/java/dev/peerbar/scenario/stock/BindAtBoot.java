package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;
import static dev.peerbar.scenario.UnexpectedException.unlessQuiet;

import dev.peerbar.lab.boot.GuestLog;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** The guest's driver took the controllers when the guest came up. */
public final class BindAtBoot implements Scenario<StockNvme> {
  private final Interrupts interrupts;

  /** How a controller interrupts. */
  public enum Interrupts {
    MESSAGES("stock.bind", "MSI-X for each queue"),
    PIN("stock.bind-pin", "the interrupt pin");

    private final String name;
    private final String words;

    Interrupts(String name, String words) {
      this.name = name;
      this.words = words;
    }
  }

  public BindAtBoot(Interrupts interrupts) {
    this.interrupts = interrupts;
  }

  @Override
  public Description description() {
    return Description.of(
        interrupts.name,
        "the guest's nvme driver initialises all controllers",
        "live, with %s, nothing at warning level in the kernel's log".formatted(interrupts.words));
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.hasMessages(setting) == hasMessages();
  }

  private boolean hasMessages() {
    return interrupts == Interrupts.MESSAGES;
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    NvmeDisk disk = nvme.disk();
    List<String> bad = complaints(nvme);
    unless(bad.isEmpty(), "%s", String.join("\n", bad));
    unlessQuiet(nvme.firstComplaints());
    List<String> vectors =
        nvme.guest()
            .system()
            .readText("/proc/interrupts")
            .lines()
            .filter(l -> l.contains(disk.name() + "q"))
            .toList();
    unless(
        vectors.size() == 1 != hasMessages()
            && vectors.stream().allMatch(l -> l.contains("IO-APIC") != hasMessages()),
        "interrupts:%n%s",
        String.join("\n", vectors));
    List<String> lines =
        nvme.firstLog()
            .lines()
            .filter(l -> l.contains("nvme " + disk.name()) || l.contains(disk.pci().address()))
            .filter(l -> l.contains("nvme"))
            .map(l -> l.replaceFirst("^<\\d+>\\[ *[0-9.]+] ", ""))
            .toList();
    return "%d interrupts, and the lines%n%s"
        .formatted(vectors.size(), "             ".concat(String.join("\n             ", lines)));
  }

  /**
   * The complaints of the kernel's log: what it says before its driver is at work, and of no
   * controller, is its boot's affair.
   */
  private static List<String> complaints(StockNvme nvme) throws IOException {
    List<String> addresses = new ArrayList<>();
    for (NvmeController controller : nvme.controllers()) {
      addresses.add(nvme.disk(controller).pci().address());
    }
    List<String> about = new ArrayList<>();
    boolean atWork = false;
    for (String line : nvme.firstLog().lines().toList()) {
      atWork |= line.contains("nvme ");
      if (atWork || addresses.stream().anyMatch(line::contains)) {
        about.add(line);
      }
    }
    return GuestLog.badKernelLines(String.join("\n", about)).stream()
        .filter(line -> !nvme.lab().expects(line))
        .toList();
  }
}
