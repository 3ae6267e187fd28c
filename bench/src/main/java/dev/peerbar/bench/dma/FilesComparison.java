package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.DrivenEndpoint;
import dev.peerbar.bench.fixture.MemoryResponder;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.FileContents;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.server.ServerOptions;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Copies between the memory of an HBM endpoint and a client's, by what kind of file the client's is
 * in. Beside sealed memory, which is simply touched, and beside messages, which need no file.
 */
public final class FilesComparison implements Comparison {
  /** What is mapped of each kind, and what one run copies. */
  private static final int BYTES = 4 << 20;

  private static final long BASE = 1L << 32;
  private static final int ENTRIES = 1 << HbmRegisters.LARGEST_RING_LOG2;
  private static final int KIB = 1 << 10;
  private static final List<Integer> SIZES = List.of(4, 64, 1024);
  private static final double GIGA = 1e9;

  /** Where the bytes of a client are. */
  private enum Kind {
    SEALED("sealed memory"),
    UNSEALED("tmpfs file"),
    HUGE("huge pages"),
    DISK("disk file"),
    TRUSTED("tmpfs file, trusted"),
    MESSAGES("messages");

    private final String label;

    Kind(String label) {
      this.label = label;
    }

    private FileDescriptor create() throws IOException {
      return switch (this) {
        case SEALED -> SharedMemory.create("bench-sealed", BYTES);
        case HUGE -> SharedMemory.createOfHugePages("bench-huge", BYTES);
        case UNSEALED, TRUSTED -> in(Path.of("/dev/shm"));
        case DISK -> in(Path.of(System.getProperty("user.dir")));
        case MESSAGES -> throw new IllegalStateException("no file");
      };
    }

    private static FileDescriptor in(Path folder) throws IOException {
      Path path = Files.createTempFile(folder, "peerbar-bench", "");
      try {
        FileDescriptor file = FileContents.open(path);
        FileContents.write(file, 0, MemorySegment.ofArray(new byte[BYTES]));
        return file;
      } finally {
        Files.delete(path);
      }
    }
  }

  @Override
  public String name() {
    return "files";
  }

  @Override
  public String about() {
    return "bus-master copies by what kind of file the client's memory is in";
  }

  @Override
  public void run(Bench bench) throws Exception {
    List<Client> clients = new ArrayList<>();
    try {
      for (Kind kind : Kind.values()) {
        Client.start(kind).ifPresent(clients::add);
      }
      for (Direction direction : Direction.values()) {
        for (int size : SIZES) {
          measure(bench, clients, direction, size * KIB);
        }
      }
    } finally {
      for (Client client : clients) {
        client.close();
      }
    }
  }

  private static void measure(Bench bench, List<Client> clients, Direction direction, int size)
      throws Exception {
    Side[] sides =
        clients.stream()
            .map(
                client -> new Side(client.kind.label, new Copies(client.endpoint, direction, size)))
            .toArray(Side[]::new);
    List<Measured> measured = Placement.ONE_CPU.client(() -> bench.compare(sides));
    Measured sealed = measured.getFirst();
    Measured messages = measured.getLast();
    for (int i = 1; i < clients.size(); i++) {
      String path =
          "%s, %s of %d KiB"
              .formatted(
                  clients.get(i).kind.label, direction.name().toLowerCase(Locale.ROOT), size / KIB);
      add(bench, path + ", beside sealed", sealed, measured.get(i));
      if (clients.get(i).kind != Kind.MESSAGES) {
        add(bench, path + ", beside messages", messages, measured.get(i));
      }
    }
  }

  private static void add(Bench bench, String path, Measured floor, Measured subject) {
    bench.add(Figure.rate(path, "GB/s", GIGA, floor, subject, Optional.empty()));
  }

  /** An endpoint with a client whose memory is of one kind. */
  private record Client(
      Kind kind, DrivenEndpoint<HbmChannel> endpoint, Optional<MemoryResponder> responder) {

    /** Returns empty if this machine has no such files. */
    static Optional<Client> start(Kind kind) throws Exception {
      if (kind == Kind.MESSAGES) {
        DrivenEndpoint<HbmChannel> endpoint = start(kind, Optional.empty());
        MemorySegment memory = Arena.ofAuto().allocate(BYTES);
        MemoryResponder responder =
            Placement.ONE_CPU.client(
                () -> MemoryResponder.start(endpoint.connection(), BASE, memory));
        return Optional.of(new Client(kind, endpoint, Optional.of(responder)));
      }
      try (FileDescriptor file = kind.create()) {
        // Huge pages are found missing here.
        SharedMemory.map(file, 0, BYTES, SharedMemory.Access.READ_WRITE).close();
        return Optional.of(new Client(kind, start(kind, Optional.of(file)), Optional.empty()));
      } catch (IOException _) {
        return Optional.empty();
      }
    }

    private static DrivenEndpoint<HbmChannel> start(Kind kind, Optional<FileDescriptor> file)
        throws Exception {
      ServerOptions options = ServerOptions.DEFAULT.withTrustMemory(kind == Kind.TRUSTED);
      return DrivenEndpoint.hbm(
          Placement.ONE_CPU.server(
              () -> ServedEndpoint.start("files", new HbmEndpoint(HbmConfig.DEFAULT), options)),
          ENTRIES,
          true,
          client -> client.dmaMap(DmaMap.READABLE | DmaMap.WRITEABLE, 0, BASE, BYTES, file));
    }

    void close() throws IOException {
      if (responder.isPresent()) {
        responder.get().close();
      }
      endpoint.close();
    }
  }

  /** Copies all of it, in pieces of one size. */
  private record Copies(DrivenEndpoint<HbmChannel> endpoint, Direction direction, int size)
      implements Workload {
    @Override
    public void prepare() throws IOException {
      for (int i = 0; i < count(); i++) {
        Descriptor copy = direction.copy(BASE, (long) i * size, size);
        endpoint.channel().putAhead(i, i == count() - 1 ? copy.interrupt() : copy);
      }
    }

    private int count() {
      return BYTES / size;
    }

    @Override
    public long run() throws IOException {
      endpoint.ring(count());
      endpoint.awaitInterrupt();
      return BYTES;
    }
  }
}
