package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.driver.Config;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.qemu.Qemu;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting;
import dev.peerbar.pci.ConfigLayout.Express;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.PcieError;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.server.fault.Fault;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** Errors that A reports. */
final class ReportedErrors {
  private static final int FIRST_EXTENDED = 0x100;
  private static final int ID_MASK = 0xffff;
  private static final int NEXT_SHIFT = 20;

  /** Of Device Status (PCIe 6.0 7.5.3.5). */
  private static final int ERRORS = 0xf;

  private ReportedErrors() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "fault.error-correctable",
            "have A report a correctable error",
            "config space shows it until the guest clears it; nothing else happens",
            ReportedErrors::correctable),
        Case.on(
                HbmPair.KIND,
                "fault.error-fatal",
                "have A report a fatal error",
                "QEMU is told and stops the guest for ever, with a line in its log",
                ReportedErrors::fatal)
            .spendingGuest());
  }

  /** The guest may have no way to extended config space: what is there, the host looks at. */
  private static int errorReporting(PciFunction function) throws IOException {
    int at = FIRST_EXTENDED;
    while (at != 0) {
      int header = (int) function.config(at, Integer.BYTES);
      if ((header & ID_MASK) == AdvancedErrorReporting.ID) {
        return at;
      }
      at = header >>> NEXT_SHIFT;
    }
    throw new IOException("A has no Advanced Error Reporting");
  }

  private static String correctable(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkA();
    PcieError error = PcieError.CORRECTABLE;
    int register = new Config(pair.deviceA()).capability(Express.ID) + Express.DEVICE_STATUS;
    checkStatus(pair, register, 0);
    Misbehaving.once(pair.serverA(), new Fault.Error(error));
    checkStatus(pair, register, error.deviceStatus());
    PciFunction function = pair.serverA().function().function();
    long reported =
        function.config(
            errorReporting(function) + AdvancedErrorReporting.CORRECTABLE_STATUS, Integer.BYTES);
    unless(reported == error.aerStatus(), "Correctable Error Status is 0x%x", reported);
    clear(pair, register, error.deviceStatus());
    checkStatus(pair, register, 0);
    sound.checkA();
    sound.checkB();
    return "Device Status 0x%x, cleared".formatted(error.deviceStatus());
  }

  private static void checkStatus(HbmPair pair, int register, int expected) throws Exception {
    int seen = pair.deviceA().vfio().pci().config().getShort(register) & ERRORS;
    unless(seen == expected, "Device Status 0x%x, instead of 0x%x", seen, expected);
  }

  /** Through sysfs, since vfio-pci lets nobody write there. */
  private static void clear(HbmPair pair, int register, int bits) throws IOException {
    GuestSystem system = pair.guest().system();
    int file =
        system.open(
            pair.deviceA().vfio().pci().attribute("config"), GuestSystem.OpenFlag.READ_WRITE);
    try {
      system.pwrite(file, new byte[] {(byte) bits, 0}, register);
    } finally {
      system.close(file);
    }
  }

  private static String fatal(HbmPair pair) throws Exception {
    pair.run().mayComplain(line -> line.contains("Unrecoverable error detected"));
    Qemu qemu = pair.lab().qemu();
    Qmp monitor = qemu.monitor();
    String told = Misbehaving.once(pair.serverA(), new Fault.Error(PcieError.FATAL));
    unless(told.endsWith("the client was told"), "%s", told);
    long end = System.nanoTime() + Initiator.LIMIT.toNanos();
    String state = state(monitor);
    while (state.equals("running")) {
      unless(System.nanoTime() < end, "QEMU runs on");
      state = state(monitor);
    }
    unless(state.equals("internal-error"), "the guest is in state %s", state);
    monitor.execute("quit");
    unless(qemu.awaitEnd(Initiator.LIMIT), "QEMU does not end");
    String said = qemu.said(0, Optional.empty());
    unless(said.contains("Unrecoverable error detected"), "QEMU said: %s", said);
    return "QEMU: " + state;
  }

  private static String state(Qmp monitor) throws IOException {
    return monitor.execute("query-status").path("status").asText();
  }
}
