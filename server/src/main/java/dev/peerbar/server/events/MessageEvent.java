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

/**
 * A request and its reply. For the function's thread, which records it only if it is {@linkplain
 * #enabled}.
 */
@Name("dev.peerbar.Message")
@Label("Message")
@Description(
    "A request of a client, from having it whole to having handed the reply to the socket;"
        + " or one of the function to its client, from sending it to having the reply")
@Category({"Peerbar", "Wire"})
@StackTrace(false)
@Threshold("0 ns")
public final class MessageEvent extends Event implements TraceEvent {

  /** Who asked whom. */
  public enum Direction {
    CLIENT_TO_SERVER,
    SERVER_TO_CLIENT
  }

  // Asked instead of a new one: it is allocated once.
  private static final MessageEvent PROBE =
      new MessageEvent("", Direction.CLIENT_TO_SERVER, "", 0, null);

  @Label("Function")
  private final String function;

  @Label("Direction")
  @Description("Who sent the request to whom")
  private final String direction;

  @Label("Command")
  private final String command;

  @Label("Message ID")
  private final int id;

  @Label("Address")
  @Description("The IOVA that DMA_READ and DMA_WRITE begin at; zero for other commands")
  @MemoryAddress
  private long address;

  @Label("Bytes Received")
  @DataAmount
  private long bytesReceived;

  @Label("Bytes Sent")
  @DataAmount
  private long bytesSent;

  @Label("Descriptors Received")
  @Description("File descriptors that came along")
  private int descriptorsReceived;

  @Label("Descriptors Sent")
  @Description("File descriptors that went along")
  private int descriptorsSent;

  @Label("Replied")
  @Description("Whether there was a reply: none was wanted, or the connection ended before it")
  private boolean replied;

  @Label("Errno")
  @Description("Why the request was refused; none if it was not")
  private String errno;

  private final transient RequestTrack track;
  private final transient long began;
  private transient long handled;
  private transient long ended;
  private transient boolean overtaken;

  MessageEvent(String function, Direction direction, String command, int id, RequestTrack track) {
    this.function = function;
    this.direction = direction.name();
    this.command = command;
    this.id = id;
    this.track = track;
    if (track != null || direction == Direction.SERVER_TO_CLIENT) {
      begin();
      this.began = System.nanoTime();
    } else {
      this.began = 0;
    }
  }

  /** Whether anybody wants to know. */
  public static boolean enabled() {
    return PROBE.isEnabled() || Observers.present();
  }

  /** A DMA_READ or DMA_WRITE is about to be sent. */
  public static MessageEvent toClient(String function, String command, int id, long address) {
    MessageEvent event = new MessageEvent(function, Direction.SERVER_TO_CLIENT, command, id, null);
    event.address = address;
    return event;
  }

  /** The side that asked has, or this side has, received this. */
  public void received(long bytes, int descriptors) {
    bytesReceived = bytes;
    descriptorsReceived = descriptors;
  }

  /** What this side sends. */
  public void sent(long bytes, int descriptors) {
    bytesSent = bytes;
    descriptorsSent = descriptors;
  }

  /** The client's request is done or refused; what is left is to send the reply, if one is. */
  public void handled() {
    handled = System.nanoTime();
  }

  /** The outcome that the reply says. */
  public void reply(String newErrno) {
    replied = true;
    errno = newErrno;
  }

  /** The outcome of a request that wants no reply. */
  public void unreplied(String newErrno) {
    errno = newErrno;
  }

  /** It is over: nothing more is said of it. */
  public void finish() {
    end();
    ended = System.nanoTime();
    overtaken = track != null && track.isOvertaken(this);
    if (shouldCommit()) {
      commit();
    }
    Observers.tell(this);
  }

  @Override
  public String function() {
    return function;
  }

  public Direction direction() {
    return Direction.valueOf(direction);
  }

  public String command() {
    return command;
  }

  public int id() {
    return id;
  }

  /** The IOVA of a DMA_READ or DMA_WRITE. */
  public long address() {
    return address;
  }

  public long bytesReceived() {
    return bytesReceived;
  }

  public long bytesSent() {
    return bytesSent;
  }

  public int descriptorsReceived() {
    return descriptorsReceived;
  }

  public int descriptorsSent() {
    return descriptorsSent;
  }

  public boolean replied() {
    return replied;
  }

  /** Null if it was not refused. */
  public String errno() {
    return errno;
  }

  @Override
  public long began() {
    return began;
  }

  /** For a client's request: when the reply was ready to be sent. */
  public long whenHandled() {
    return handled;
  }

  @Override
  public long ended() {
    return ended;
  }

  /** Whether the next request was begun before this one's reply was sent. */
  public boolean overtaken() {
    return overtaken;
  }
}
