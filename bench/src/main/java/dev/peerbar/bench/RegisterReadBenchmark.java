package dev.peerbar.bench;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.Version;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListeningPlace;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * An 8-byte register read over the socket, and its floor: the same bytes there and back through a
 * thread that does one recvmsg and one sendmsg.
 */
@BenchmarkMode({Mode.AverageTime, Mode.SampleTime})
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@State(Scope.Benchmark)
public class RegisterReadBenchmark {
  private static final long MEM_SIZE_REGISTER = 0x10;
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

  private Path folder;
  private EndpointServer server;
  private FileDescriptor serverSocket;
  private Messenger endpoint;
  private UnixSocket.Pair pair;
  private Messenger echo;
  private MemorySegment request;

  /** Starts a server and the floor's responder, and agrees on the version. */
  @Setup(Level.Trial)
  public void connect() throws IOException {
    folder = Files.createTempDirectory("peerbar-bench");
    Path path = folder.resolve("hbm.sock");
    server =
        EndpointServer.start(
            "bench", new HbmEndpoint(HbmConfig.DEFAULT), new ListeningPlace.AtPath(path));
    serverSocket = UnixSocket.connect(path, CONNECT_TIMEOUT);
    endpoint = new Messenger(serverSocket);
    endpoint.send(
        bytes(
            Frame.request(
                0,
                Command.VERSION,
                false,
                new Version.Request(Version.MAJOR, Version.MINOR, Capabilities.DEFAULTS),
                Descriptors.none(),
                UnpooledByteBufAllocator.DEFAULT)));
    endpoint.receive();

    request =
        bytes(
            Frame.request(
                1,
                Command.REGION_READ,
                false,
                new RegionRead.Request(MEM_SIZE_REGISTER, 0, Long.BYTES),
                Descriptors.none(),
                UnpooledByteBufAllocator.DEFAULT));
    MemorySegment reply = endpointRead();
    pair = UnixSocket.pair();
    echo = new Messenger(pair.first());
    MemorySegment sameSize = Arena.ofAuto().allocate(reply.byteSize());
    Thread.ofPlatform().daemon().name("floor").start(() -> respond(pair.second(), sameSize));
  }

  private static void respond(FileDescriptor socket, MemorySegment reply) {
    Messenger responder = new Messenger(socket);
    try {
      while (responder.receive().byteSize() > 0) {
        responder.send(reply);
      }
    } catch (LinuxException _) {
      // The benchmark is over.
    }
  }

  private static MemorySegment bytes(Frame frame) {
    ByteBuf all = UnpooledByteBufAllocator.DEFAULT.directBuffer();
    frame.header().encode(all);
    all.writeBytes(frame.payload());
    frame.release();
    return MemorySegment.ofBuffer(all.nioBuffer());
  }

  private MemorySegment endpointRead() throws LinuxException {
    endpoint.send(request);
    return endpoint.receive();
  }

  @Benchmark
  public MemorySegment peerbar() throws IOException {
    return endpointRead();
  }

  @Benchmark
  public MemorySegment bareSocket() throws IOException {
    echo.send(request);
    return echo.receive();
  }

  @TearDown(Level.Trial)
  public void disconnect() throws IOException {
    pair.close();
    serverSocket.close();
    server.close();
    Files.delete(folder);
  }
}
