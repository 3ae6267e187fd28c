package dev.peerbar.scenario.flr;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.guest.ResetMethod;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.vfio.HotReset;
import dev.peerbar.lab.vfio.LowPower;
import dev.peerbar.pci.ConfigLayout.PowerManagement;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Requirement;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.HbmPair;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * What can be done to a function that others rely on: begun, and ended if it lasts. What it does to
 * DMABUFs is vfio-pci's (vfio_pci_core.c and vfio_pci_config.c of Linux 7.3); what it does to the
 * function is PCI Express's and the endpoint's.
 */
enum Upset {
  /** The bit is vfio-pci's to see, which has the kernel reset the function as it finds best. */
  CONFIG_BIT("config-bit", "set %s's FLR bit through vfio-pci", Effect.REVOKING_RESET, 1) {
    @Override
    void begin(Function function) throws IOException {
      function.driver().config().functionLevelReset();
    }
  },

  HOT_RESET("hot-reset", "reset %s and its bus through vfio-pci", Effect.REVOKING_RESET, 0) {
    @Override
    void begin(Function function) throws IOException {
      new HotReset(function.device().vfio()).make(List.of());
    }
  },

  /** No_Soft_Reset is 0, so that the way back is a reset. */
  D3HOT("d3hot", "have %s in D3hot and in D0 again", Effect.REVOKING_RESET, 0) {
    @Override
    void begin(Function function) throws IOException {
      function.driver().config().powerState(PowerManagement.D3HOT);
    }

    @Override
    void end(Function function) throws IOException {
      function.driver().config().powerState(PowerManagement.D0);
    }
  },

  /** A kernel without CONFIG_PM powers nothing down, but revokes as if it did. */
  LOW_POWER("low-power", "let %s be powered down for a while", Effect.REVOKING, 0) {
    @Override
    void begin(Function function) throws IOException {
      new LowPower(function.device().vfio()).enter();
    }

    @Override
    Requirement requirement() {
      return lab -> {
        PciDevice first = lab.guest().pciInSlot(FIRST_SLOT);
        return lab.guest().system().exists(first.attribute("power/runtime_status"))
            ? Optional.of("the kernel powers functions down whenever it likes (CONFIG_PM)")
            : Optional.empty();
      };
    }

    @Override
    void end(Function function) throws IOException {
      new LowPower(function.device().vfio()).exit();
    }
  },

  MEMORY_OFF("memory-off", "clear %s's Memory Space Enable for a while", Effect.REVOKING, 0) {
    @Override
    void begin(Function function) throws IOException {
      function.driver().config().memorySpace(false);
    }

    @Override
    void end(Function function) throws IOException {
      function.driver().config().memorySpace(true);
    }
  },

  MASTER_OFF("master-off", "clear %s's Bus Master Enable for a while", Effect.NONE, 0) {
    @Override
    void begin(Function function) throws IOException {
      function.driver().config().busMaster(false);
    }

    @Override
    void end(Function function) throws IOException {
      function.driver().config().busMaster(true);
    }
  },

  SYSFS_FLR("sysfs-flr", "reset %s by sysfs (flr)", Effect.RESET, 1) {
    @Override
    void begin(Function function) throws IOException {
      ResetMethod.FLR.reset(function.pci());
    }

    @Override
    Requirement requirement() {
      return offering(ResetMethod.FLR);
    }
  },

  SYSFS_PM("sysfs-pm", "reset %s by sysfs (pm)", Effect.RESET, 0) {
    @Override
    void begin(Function function) throws IOException {
      ResetMethod.PM.reset(function.pci());
    }

    @Override
    Requirement requirement() {
      return offering(ResetMethod.PM);
    }
  },

  SYSFS_BUS("sysfs-bus", "reset %s by sysfs (bus)", Effect.RESET, 0) {
    @Override
    void begin(Function function) throws IOException {
      ResetMethod.BUS.reset(function.pci());
    }

    @Override
    Requirement requirement() {
      return offering(ResetMethod.BUS);
    }
  },

  PORT_RESET("port-reset", "reset all below %s's port by sysfs", Effect.RESET, 0) {
    @Override
    void begin(Function function) throws IOException {
      PciDevice port = function.pci().port();
      port.system().writeText(port.attribute(SUBORDINATE), "1");
    }

    @Override
    Requirement requirement() {
      return lab -> {
        PciDevice port = lab.guest().pciInSlot(FIRST_SLOT).port();
        return lab.guest().system().list(port.attribute("")).contains(SUBORDINATE)
            ? Optional.empty()
            : Optional.of("the kernel resets nothing below a port (reset_subordinate)");
      };
    }
  };

  /** What it does to DMABUFs of the function, and to the function's registers. */
  private enum Effect {
    /** vfio-pci is not told, or does not mind. */
    NONE,
    RESET,
    REVOKING,
    REVOKING_RESET,
  }

  private static final String SUBORDINATE = "reset_subordinate";
  private static final int FIRST_SLOT = 1;

  private final String label;
  private final String words;
  private final Effect effect;
  private final int counted;

  Upset(String label, String words, Effect effect, int counted) {
    this.label = label;
    this.words = words;
    this.effect = effect;
    this.counted = counted;
  }

  /** Does it; whatever of it does not last is over then. */
  abstract void begin(Function function) throws IOException;

  /** Ends what lasts. */
  void end(Function function) throws IOException {}

  /** What a guest has to have for it. */
  Requirement requirement() {
    return _ -> Optional.empty();
  }

  /** What it is called in names of scenarios. */
  String label() {
    return label;
  }

  /** What is done to a function, in words. */
  String to(String function) {
    return words.formatted(function);
  }

  /** Whether it revokes the function's DMABUFs until it ends. */
  boolean revokes() {
    return effect == Effect.REVOKING || effect == Effect.REVOKING_RESET;
  }

  /** Whether the function's registers are cleared by when it has ended. */
  boolean resets() {
    return effect == Effect.RESET || effect == Effect.REVOKING_RESET;
  }

  /** Whether there is a time between its beginning and its end. */
  boolean lasts() {
    return switch (this) {
      case D3HOT, LOW_POWER, MEMORY_OFF, MASTER_OFF -> true;
      default -> false;
    };
  }

  /** Whether a function that masters the bus stops. */
  boolean stopsMaster() {
    return resets() || this == MASTER_OFF;
  }

  /**
   * A scenario of it, where it can be done.
   *
   * @param suffix of the name
   */
  Case<HbmPair> scenario(String suffix, String does, String expects, Case.Body<HbmPair> body) {
    return Case.on(HbmPair.KIND, "flr." + label() + suffix, does, expects, body)
        .needing(GuestFeature.DMABUF_IMPORT, requirement())
        .only(this::belongsIn);
  }

  /**
   * Whether the ports of a topology can do it. QEMU's root ports cannot: the kernel does not see
   * the link come up again after a reset of the bus below one, and answers ENOTTY.
   */
  boolean belongsIn(Setting setting) {
    return switch (this) {
      case HOT_RESET, SYSFS_BUS, PORT_RESET -> setting.topology().equals(Topology.NAMES.getFirst());
      default -> true;
    };
  }

  /** How many more resets the function counts afterwards. */
  int counted() {
    return counted;
  }

  private static Requirement offering(ResetMethod method) {
    return lab ->
        offered(lab, method)
            ? Optional.empty()
            : Optional.of("the kernel does not reset functions like these by " + method);
  }

  private static boolean offered(Lab lab, ResetMethod method) throws IOException {
    Guest guest = lab.guest();
    return method.isOffered(guest.pciInSlot(FIRST_SLOT));
  }
}
