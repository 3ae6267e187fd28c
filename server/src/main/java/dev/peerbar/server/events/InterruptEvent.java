package dev.peerbar.server.events;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** An interrupt, or what came of the attempt. For the function's thread. */
@Name("dev.peerbar.Interrupt")
@Label("Interrupt")
@Description("An interrupt that was raised, held back, or delivered later")
@Category({"Peerbar", "Function"})
@StackTrace(false)
public final class InterruptEvent extends Event implements TraceEvent {

  /** What came of it. */
  public enum Outcome {
    /** The client's event descriptor was signalled. */
    DELIVERED,
    /** It waits until bus mastering is on, or a migration lets the function run. */
    PENDING,
    /** It waits until it is unmasked. */
    MASKED,
    /** The client gave no event descriptor to signal: MSI-X waits for one. */
    NO_EVENTFD,
    /** Interrupts of this index are off, or it does not exist: it is forgotten. */
    DISABLED,
    /** Signalling failed. */
    LOST
  }

  private static final InterruptEvent PROBE = new InterruptEvent("", "", 0, Outcome.DELIVERED);

  @Label("Function")
  private final String function;

  @Label("Index")
  @Description("The kind of interrupt, as vfio-pci numbers them")
  private final String index;

  @Label("Vector")
  private final int vector;

  @Label("Outcome")
  private final String outcome;

  private final transient long at = System.nanoTime();

  private InterruptEvent(String function, String index, int vector, Outcome outcome) {
    this.function = function;
    this.index = index;
    this.vector = vector;
    this.outcome = outcome.name();
  }

  /** Tells what came of an interrupt just now, if anybody wants to know. */
  public static void tell(String function, Enum<?> index, int vector, Outcome outcome) {
    if (!PROBE.isEnabled() && !Observers.present()) {
      return;
    }
    InterruptEvent event = new InterruptEvent(function, index.name(), vector, outcome);
    if (event.shouldCommit()) {
      event.commit();
    }
    Observers.tell(event);
  }

  @Override
  public String function() {
    return function;
  }

  public String index() {
    return index;
  }

  public int vector() {
    return vector;
  }

  public Outcome outcome() {
    return Outcome.valueOf(outcome);
  }

  @Override
  public long began() {
    return at;
  }

  @Override
  public long ended() {
    return at;
  }
}
