package dev.peerbar.server.fault;

import dev.peerbar.pci.PcieError;
import dev.peerbar.protocol.Command;
import java.time.Duration;
import java.util.Optional;

/**
 * Something that an endpoint does wrong when it is told to. Some faults last, and those with a
 * {@link Counted} can also last for so many occasions; a {@link Once} happens when it is injected.
 */
public sealed interface Fault {

  /** The longest time of any fault. */
  Duration LONGEST = Duration.ofHours(1);

  /** One that is in force until it is cleared. */
  sealed interface Lasting extends Fault {}

  /** One that is a matter of single occasions, of which there can be so many. */
  sealed interface Counted extends Lasting {}

  /** One that happens, and is over. */
  sealed interface Once extends Fault {}

  /**
   * A function-level reset is not over when it should be. The function has stopped what it did and
   * has forgotten its registers at once, but does not answer: what is read of config space and BARs
   * is all ones, what is written is lost (PCIe 6.0 2.3.1, Request Retry Status, as a root complex
   * shows it). A reset of another kind, the end of the client's connection and the end of the fault
   * end it.
   *
   * @param takes how long; empty for ever
   */
  record ResetTakes(Optional<Duration> takes) implements Counted {
    public ResetTakes {
      takes.ifPresent(Fault::check);
    }
  }

  /**
   * The function does not answer, as one that has fallen off its bus: what is read is all ones,
   * what is written is lost. What a client has mapped it reaches as ever, and engines go on.
   *
   * @param config whether config space is affected
   * @param bars whether accesses of BARs are
   */
  record AllOnes(boolean config, boolean bars) implements Lasting {
    public AllOnes {
      if (!config && !bars) {
        throw new IllegalArgumentException("neither config space nor BARs");
      }
    }
  }

  /**
   * Engines stick where they would move bytes next, until the fault is over or what they do is
   * ended: by its driver, by a reset.
   *
   * @param engine the name of one; empty for all
   */
  record Stuck(Optional<String> engine) implements Lasting {}

  /**
   * MSI, MSI-X and the pin come late. One that is raised while the same one is on its way is lost
   * in it; a reset forgets those that are on their way.
   */
  record InterruptsLate(Duration by) implements Counted {
    public InterruptsLate {
      check(by);
    }
  }

  /** MSI, MSI-X and the pin do not come, though the device has done with them as if they had. */
  record InterruptsLost() implements Counted {}

  /**
   * MSI, MSI-X and the pin come twice.
   *
   * @param apart how long the second one is after the first; those that are raised meanwhile have
   *     no second one
   */
  record InterruptsDoubled(Duration apart) implements Counted {
    public InterruptsDoubled {
      check(apart);
    }
  }

  /**
   * What the client asks is done at once, and answered late.
   *
   * @param command what is; empty for everything
   */
  record RepliesLate(Duration by, Optional<Command> command) implements Counted {
    public RepliesLate {
      check(by);
    }

    /** Of reads of registers and config space. */
    public static RepliesLate ofReads(Duration by) {
      return new RepliesLate(by, Optional.of(Command.REGION_READ));
    }

    /** Of what takes memory away. */
    public static RepliesLate ofUnmaps(Duration by) {
      return new RepliesLate(by, Optional.of(Command.DMA_UNMAP));
    }
  }

  /**
   * Broken on purpose: the endpoint says that it has let go of memory which the client has
   * unmapped, and goes on using it, until something else is mapped there or the fault is over.
   */
  record KeepsMappings() implements Lasting {}

  /** Broken on purpose: clearing Bus Master Enable ends nothing. */
  record IgnoresBusMaster() implements Lasting {}

  /** The function detects an error, and tells the client of one that is uncorrectable. */
  record Error(PcieError severity) implements Once {}

  /**
   * The endpoint writes 8 bytes, zero, where nobody told it to.
   *
   * @param iova where
   * @param checked whether the endpoint looks at first whether it may; if not, it is left to the
   *     client to refuse it
   */
  record StrayWrite(long iova, boolean checked) implements Once {}

  private static void check(Duration time) {
    if (time.isNegative() || time.compareTo(LONGEST) > 0) {
      throw new IllegalArgumentException("a time is from 0 to 1 hour");
    }
  }
}
