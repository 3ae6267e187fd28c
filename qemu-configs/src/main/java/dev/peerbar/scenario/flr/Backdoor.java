package dev.peerbar.scenario.flr;

import dev.peerbar.driver.Config;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.pci.ConfigLayout.Express;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Resets that the kernel does not make: bits that a program writes into config space by sysfs.
 * Nothing is revoked, nothing is saved and nobody waits. vfio-pci finds that the function answers
 * no more when somebody enables its memory, and puts the BARs back (vfio_bar_restore).
 */
final class Backdoor {
  private static final int MANY = 1000;

  /** Of the header of a bridge (PCIe 6.0 7.5.1.3.10). */
  private static final int BRIDGE_CONTROL = 0x3e;

  private static final int SECONDARY_BUS_RESET = 1 << 6;

  private Backdoor() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "flr.storm-raw",
                "set A's FLR bit %d times through sysfs, where no kernel waits".formatted(MANY),
                "RESET_COUNT counts each; vfio-pci, which revoked nothing, restores A when its"
                    + " memory is enabled",
                Backdoor::raw)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                HbmPair.KIND,
                "flr.port-bit",
                "set and clear Secondary Bus Reset of A's port through sysfs",
                "A's registers are cleared; nothing is revoked, but nobody answers: B faults until"
                    + " vfio-pci restores A, then its old mapping works",
                Backdoor::portBit)
            .needing(GuestFeature.DMABUF_IMPORT));
  }

  private static String raw(HbmPair pair) throws Exception {
    SmallCopy copy = new SmallCopy(pair);
    Function a = Function.a(pair);
    Registers registers = Registers.use(a);
    try (Lent lent = Lent.of(pair, SmallCopy.LENGTH)) {
      copy.right(lent.iova());
      Config config = pair.a().config();
      int at = config.capability(Express.ID) + Express.DEVICE_CONTROL;
      int control = config.word(at) | Express.INITIATE_FUNCTION_LEVEL_RESET;
      try (RawConfig raw = RawConfig.open(a.pci())) {
        for (int i = 0; i < MANY; i++) {
          raw.word(at, control);
        }
      }
      pair.a().setUp();
      registers.check(true, MANY);
      copy.right(lent.iova());
      registers.checkWorks(true);
    }
    return "RESET_COUNT " + registers.resets();
  }

  private static String portBit(HbmPair pair) throws Exception {
    SmallCopy copy = new SmallCopy(pair);
    Function a = Function.a(pair);
    Registers registers = Registers.use(a);
    try (Lent lent = Lent.of(pair, SmallCopy.LENGTH)) {
      copy.right(lent.iova());
      try (RawConfig port = RawConfig.open(a.pci().port())) {
        int control = port.word(BRIDGE_CONTROL);
        port.word(BRIDGE_CONTROL, control | SECONDARY_BUS_RESET);
        port.word(BRIDGE_CONTROL, control);
      }
      lent.expectCutOff(copy.out(), SmallCopy.LENGTH);
      pair.a().setUp();
      registers.check(true, 0);
      copy.right(lent.iova());
      registers.checkWorks(true);
    }
    return "RESET_COUNT " + registers.resets();
  }

  /** Config space by sysfs, which asks nobody. */
  private record RawConfig(GuestSystem system, int fd) implements AutoCloseable {
    static RawConfig open(PciDevice pci) throws IOException {
      GuestSystem system = pci.system();
      return new RawConfig(system, system.open(pci.attribute("config"), OpenFlag.READ_WRITE));
    }

    private static ByteBuffer little(byte[] bytes) {
      return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    int word(int offset) throws IOException {
      return Short.toUnsignedInt(little(system.pread(fd, Short.BYTES, offset)).getShort());
    }

    void word(int offset, int value) throws IOException {
      byte[] bytes = new byte[Short.BYTES];
      little(bytes).putShort((short) value);
      system.pwrite(fd, bytes, offset);
    }

    @Override
    public void close() throws IOException {
      system.close(fd);
    }
  }
}
