package dev.peerbar.server;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.storage.HostMemory;
import dev.peerbar.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** An NVMe endpoint that is served in this process, and a client of it, over a real socket. */
final class NvmeWire implements AutoCloseable {
  static final int LBA = 512;
  static final int QUEUES = 4;
  static final long CMB_SIZE = 16 << 20;
  static final long STORAGE_SIZE = 256 << 20;

  private final Path path;
  private final Storage storage;
  private final EndpointServer server;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private VfioUserClient client;
  private boolean stopped;

  /**
   * @param storage closed with this
   */
  NvmeWire(Path path, NvmeConfig config, Storage storage) throws IOException {
    this.path = path;
    this.storage = storage;
    server =
        EndpointServer.start(
            "nvme", new NvmeEndpoint(config, storage), new ListeningPlace.AtPath(path));
    client = connect();
  }

  /** Blocks in memory, a CMB, some queues, trapped doorbells. */
  static NvmeWire inMemory(Path directory) throws IOException {
    return inMemory(directory, config(DoorbellMode.TRAP, CMB_SIZE));
  }

  static NvmeWire inMemory(Path directory, NvmeConfig config) throws IOException {
    return new NvmeWire(directory.resolve("nvme.sock"), config, HostMemory.storage(STORAGE_SIZE));
  }

  static NvmeConfig config(DoorbellMode doorbells, long cmbSize) {
    return new NvmeConfig(LBA, cmbSize, QUEUES, doorbells, true, "PB-WIRE");
  }

  VfioUserClient client() {
    return client;
  }

  EndpointServer server() {
    return server;
  }

  Path path() {
    return path;
  }

  private VfioUserClient connect() throws IOException {
    return connect(path);
  }

  static VfioUserClient connect(Path path) throws IOException {
    VfioUserClient next = VfioUserClient.connect(path);
    next.setTimeout(Wire.LIMIT);
    next.negotiate(Wire.capabilities());
    return next;
  }

  /** Another client in the place of the one that has gone, as soon as the server knows. */
  VfioUserClient reconnect() throws IOException {
    client.close();
    client = connect();
    return client;
  }

  /** To be closed with this. */
  <T extends AutoCloseable> T own(T resource) {
    owned.addFirst(resource);
    return resource;
  }

  /** A driver of the client that is connected now. */
  NvmeDriver driver(NvmeDriver.Reach reach) throws IOException {
    return own(new NvmeDriver(client, reach));
  }

  /** Closes the server; the client has yet to notice. */
  void stopServing() {
    if (!stopped) {
      stopped = true;
      server.close();
    }
  }

  @Override
  public void close() {
    client.close();
    stopServing();
    storage.close();
    for (AutoCloseable resource : owned) {
      try {
        resource.close();
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    }
  }
}
