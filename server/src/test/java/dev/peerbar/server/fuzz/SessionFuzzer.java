package dev.peerbar.server.fuzz;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.LoggerFactory;

/**
 * What the fuzzer does with an input for the session: a {@link FuzzScript}, played to a served
 * endpoint over a real socket.
 *
 * <p>Each command that wants a reply gets exactly one, in order. After each script the next client
 * is served, no file descriptor and no mapping is left, no error was logged, and no connection was
 * closed but for a message size that cannot be.
 */
public final class SessionFuzzer {
  private static final int POLLS = 50;
  private static final long MOST_BUFFERS = 256 << 20;

  /** Where the sealed memory of a script usually is. */
  static final long RING = Wire.RING;

  private static SessionFuzzer instance;

  private final Path directory;
  private final Path path;
  private final EndpointServer server;
  private final FuzzDescriptors descriptors;
  private final AtomicReference<String> complaint = new AtomicReference<>();
  private final AppenderBase<ILoggingEvent> log;
  private long scripts;
  private long messages;
  private long connections;
  private long openBefore;

  private SessionFuzzer() throws IOException {
    directory = Files.createTempDirectory("session-fuzz");
    path = directory.resolve("hbm.sock");
    log =
        new AppenderBase<>() {
          @Override
          protected void append(ILoggingEvent event) {
            judge(event);
          }
        };
    Logger root = (Logger) LoggerFactory.getLogger("dev.peerbar");
    root.setLevel(Level.WARN);
    root.setAdditive(false);
    // Beyond a burst its lines are for debugging.
    ((Logger) LoggerFactory.getLogger(ServedFunction.class)).setLevel(Level.DEBUG);
    log.start();
    root.addAppender(log);
    Logger netty = (Logger) LoggerFactory.getLogger("io.netty");
    netty.setLevel(Level.WARN);
    netty.addAppender(log);
    server =
        EndpointServer.start(
            "fuzzed",
            new HbmEndpoint(Wire.config(DoorbellMode.TRAP)),
            new ListenAddress.AtPath(path));
    descriptors = new FuzzDescriptors(directory);
    // Whatever is opened once is opened now.
    play(new byte[0]);
    openBefore = open();
  }

  /**
   * What is open, but for what engines copy through: that goes with their threads, some time later.
   */
  private static long open() {
    return OpenFiles.count() - OpenFiles.count("memfd:bounce");
  }

  private void judge(ILoggingEvent event) {
    String text = event.getFormattedMessage();
    boolean hungUp =
        (text.contains("connection closed: ") || text.contains(" failed: "))
            && !text.contains("ClosedChannelException");
    boolean netty = event.getLoggerName().startsWith("io.netty");
    if (event.getLevel() == Level.ERROR || hungUp || netty) {
      String thrown =
          event.getThrowableProxy() == null ? "" : ": " + event.getThrowableProxy().getMessage();
      complaint.compareAndSet(null, event.getLevel() + " " + text + thrown);
    }
  }

  /** Called once, before all inputs. */
  public static void fuzzerInitialize() throws IOException {
    instance = new SessionFuzzer();
    Thread.setDefaultUncaughtExceptionHandler(
        (thread, thrown) -> instance.complaint.compareAndSet(null, thread + " died of " + thrown));
  }

  /** Called once, after all inputs. */
  public static void fuzzerTearDown() {
    System.out.printf(
        "fuzzed: %d scripts, %d messages, %d connections%n",
        instance.scripts, instance.messages, instance.connections);
    instance.server.close();
    instance.descriptors.close();
    ((Logger) LoggerFactory.getLogger(ServedFunction.class)).setLevel(null);
    ((Logger) LoggerFactory.getLogger("dev.peerbar")).setLevel(null);
    ((Logger) LoggerFactory.getLogger("dev.peerbar")).detachAppender(instance.log);
    ((Logger) LoggerFactory.getLogger("io.netty")).detachAppender(instance.log);
  }

  /** Called for each input. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    instance.play(input);
    instance.check();
  }

  private void play(byte[] input) throws IOException {
    scripts++;
    FuzzScript.Reader script = new FuzzScript.Reader(input);
    FuzzClient client = connect();
    try {
      client.negotiate();
      while (script.hasNext()) {
        FuzzScript.Action step = script.choose(FuzzScript.Action.class);
        if (step == FuzzScript.Action.AGAIN) {
          client.close();
          messages += client.sent();
          client = connect();
          if (script.number() != 0) {
            client.negotiate();
          }
        } else {
          step(step, script, client);
        }
      }
      client.awaitReplies();
    } finally {
      client.close();
      messages += client.sent();
      descriptors.forget();
    }
  }

  private FuzzClient connect() throws IOException {
    connections++;
    return new FuzzClient(UnixSocket.connect(path, Wire.LIMIT));
  }

  private void step(FuzzScript.Action step, FuzzScript.Reader script, FuzzClient client)
      throws IOException {
    switch (step) {
      case MESSAGE -> message(script, client, -1, -1);
      case LIE -> message(script, client, script.integer(), -1);
      case PIECES -> message(script, client, -1, script.number());
      case RAW -> {
        List<FileDescriptor> sent = descriptors(script);
        client.send(script.data(), sent);
      }
      case AWAIT -> {
        // Long enough for what a ring has begun to reach memory that is reached by messages.
        for (int i = 0; i < POLLS; i++) {
          client.request(Command.REGION_READ, new RegionRead.Request(0x1004, Wire.REGISTERS, 4));
        }
      }
      case ANSWER -> client.answer(script.choose(FuzzScript.Answer.class));
      case RING -> {
        ByteBuf entries = script.data();
        descriptors.ring(entries);
      }
      case HALF_CLOSE -> client.halfClose();
      case SHRINK -> descriptors.shrink();
      case AGAIN -> throw new AssertionError(step);
    }
  }

  private void message(FuzzScript.Reader script, FuzzClient client, int size, int cut)
      throws IOException {
    int command = script.number();
    int flags = script.number();
    List<FileDescriptor> sent = descriptors(script);
    ByteBuf message = Wire.message(client.nextId(), command, flags, script.data());
    if (size != -1) {
      message.setIntLE(4, size);
    }
    if (cut < 0 || cut >= message.readableBytes()) {
      client.send(message, sent);
    } else {
      client.send(message.readBytes(cut), sent);
      client.send(message, List.of());
    }
  }

  private List<FileDescriptor> descriptors(FuzzScript.Reader script) throws IOException {
    int count = Math.min(script.number(), FuzzClient.MOST_DESCRIPTORS);
    List<FileDescriptor> sent = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      sent.add(descriptors.get(script.choose(FuzzScript.Kind.class)));
    }
    return sent;
  }

  /** What holds after each script. */
  private void check() throws Exception {
    try (VfioUserClient next = VfioUserClient.connect(path)) {
      next.setTimeout(Wire.LIMIT);
      next.negotiate(Wire.capabilities());
      require(next.readInt(Wire.REGISTERS, Wire.ID) == Wire.ID_VALUE, "the ID register");
      require(server.function().bus().table().size() == 0, "no mapping is left");
      // The next script begins with a device at rest.
      next.reset();
    } catch (EOFException e) {
      throw new AssertionError("the next client is not served", e);
    }
    Wire.await("no descriptor is left", () -> open() <= openBefore);
    ByteBufAllocatorMetricProvider buffers =
        (ByteBufAllocatorMetricProvider) ByteBufAllocator.DEFAULT;
    require(
        buffers.metric().usedDirectMemory() < MOST_BUFFERS,
        buffers.metric().usedDirectMemory() + " bytes of buffers");
    String complained = complaint.getAndSet(null);
    require(complained == null, complained);
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }
}
