package dev.peerbar.server.events;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;

/** One access of an engine to memory. For the engine's thread. */
@Name("dev.peerbar.DmaTransfer")
@Label("DMA Transfer")
@Description("A read, write or copy of client memory by an engine, or a copy in its own memory")
@Category({"Peerbar", "Bus"})
@StackTrace(false)
@Threshold("0 ns")
public final class TransferEvent extends Event implements TraceEvent {

  /** What was to be moved. */
  public enum Access {
    /** From client memory. */
    READ,
    /** To client memory. */
    WRITE,
    /** From client memory to client memory. */
    COPY,
    /** Within the endpoint. */
    LOCAL
  }

  /** Why a transfer stopped that met no fault: its job was ended. */
  public static final String ENDED = "ENDED";

  private static final TransferEvent PROBE = new TransferEvent("", "", Access.LOCAL, 0, 0, 0);

  @Label("Function")
  private final String function;

  @Label("Engine")
  @Description("Such as a DMA channel")
  private final String engine;

  @Label("Access")
  private final String access;

  @Label("Source")
  @Description("The IOVA that is read from; zero for a write or a local copy")
  @MemoryAddress
  private final long source;

  @Label("Destination")
  @Description("The IOVA that is written to; zero for a read or a local copy")
  @MemoryAddress
  private final long destination;

  @Label("Bytes Asked")
  @DataAmount
  private final long asked;

  @Label("Bytes Moved")
  @Description("Whole steps only if the job was ended")
  @DataAmount
  private long moved;

  @Label("Path")
  @Description("direct: through shared memory; messages: with DMA_READ and DMA_WRITE; both; none")
  private String path;

  @Label("Fault")
  @Description("Why it stopped early: the fault, or ENDED with its job; none if it did not")
  private String fault;

  @Label("Fault Address")
  @Description("The IOVA of the first byte that could not be moved")
  @MemoryAddress
  private long faultAddress;

  private final transient long began;
  private transient long ended;

  private TransferEvent(
      String function, String engine, Access access, long source, long destination, long asked) {
    this.function = function;
    this.engine = engine;
    this.access = access.name();
    this.source = source;
    this.destination = destination;
    this.asked = asked;
    begin();
    this.began = System.nanoTime();
  }

  /** Whether anybody wants to know. */
  public static boolean enabled() {
    return PROBE.isEnabled() || Observers.present();
  }

  /** A transfer begins. */
  public static TransferEvent start(
      String function, String engine, Access access, long source, long destination, long asked) {
    return new TransferEvent(function, engine, access, source, destination, asked);
  }

  /** It stopped before its end. */
  public void stopped(String newFault, long newFaultAddress) {
    fault = newFault;
    faultAddress = newFaultAddress;
  }

  /** It is over: nothing more is said of it. */
  public void finish(long newMoved, boolean direct, boolean messages) {
    end();
    ended = System.nanoTime();
    moved = newMoved;
    path = direct ? messages ? "both" : "direct" : messages ? "messages" : "none";
    if (shouldCommit()) {
      commit();
    }
    Observers.tell(this);
  }

  @Override
  public String function() {
    return function;
  }

  public String engine() {
    return engine;
  }

  public Access access() {
    return Access.valueOf(access);
  }

  /** The IOVA read from, if the access reads. */
  public long source() {
    return source;
  }

  /** The IOVA written to, if the access writes. */
  public long destination() {
    return destination;
  }

  public long asked() {
    return asked;
  }

  public long moved() {
    return moved;
  }

  public String path() {
    return path;
  }

  /** Null if all was moved. */
  public String fault() {
    return fault;
  }

  public long faultAddress() {
    return faultAddress;
  }

  @Override
  public long began() {
    return began;
  }

  @Override
  public long ended() {
    return ended;
  }
}
