package dev.peerbar.lab.scenario.stock;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.storage.ImageFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;

/** An NVMe endpoint that this process serves. */
final class ServedController implements NvmeController {
  private static final int VENDOR_ID = 0x1234;

  /** Compare, Dataset Management, Write Zeroes, Timestamp, Verify. */
  private static final int OPTIONAL_COMMANDS = 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 7;

  private final Port port;
  private final Path image;
  private final Path socket;
  private final NvmeConfig config;
  private final ImageFile storage;
  private final EndpointServer server;

  private ServedController(
      Port port,
      Path image,
      Path socket,
      NvmeConfig config,
      ImageFile storage,
      EndpointServer server) {
    this.port = port;
    this.image = image;
    this.socket = socket;
    this.config = config;
    this.storage = storage;
    this.server = server;
  }

  /**
   * Serves an endpoint.
   *
   * @param directory for its socket
   */
  static ServedController start(Port port, Path image, Path directory) throws IOException {
    NvmeConfig basis = NvmeConfig.DEFAULT;
    NvmeConfig config =
        new NvmeConfig(
            basis.lbaSize(), MEMORY, basis.queues(), basis.doorbells(), "lab-" + port.letter());
    Path socket = directory.resolve(port.letter() + ".sock");
    ImageFile storage = ImageFile.open(image);
    try {
      EndpointServer server =
          EndpointServer.start(
              "nvme-" + port.letter(),
              new NvmeEndpoint(config, storage),
              new ListenAddress.AtPath(socket));
      return new ServedController(port, image, socket, config, storage, server);
    } catch (IOException | RuntimeException e) {
      storage.close();
      throw e;
    }
  }

  @Override
  public Port port() {
    return port;
  }

  @Override
  public Identity identity() {
    return new Identity(VENDOR_ID, "Peerbar NVMe", config.serialNumber(), OPTIONAL_COMMANDS);
  }

  @Override
  public Path image() {
    return image;
  }

  @Override
  public Optional<MemorySegment> memory() {
    return Optional.of(server.function().memory(NvmeRegisters.CMB_BAR));
  }

  @Override
  public VirtualMachine attachTo(VirtualMachine machine) {
    return machine.withEndpoint(port.letter(), socket);
  }

  @Override
  public void close() throws IOException {
    try {
      server.close();
    } finally {
      storage.close();
    }
  }
}
