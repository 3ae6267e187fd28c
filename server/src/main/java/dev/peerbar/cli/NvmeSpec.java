package dev.peerbar.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.server.ListeningPlace;
import dev.peerbar.server.storage.HostMemory;
import dev.peerbar.server.storage.ImageFile;
import dev.peerbar.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** An NVMe controller: the same options on the command line and in a file. */
final class NvmeSpec extends EndpointSpec {
  private static final long DEFAULT_SIZE = 1L << 30;

  @ArgGroup private Medium medium = new Medium();

  /** Where the blocks are: at most one of the two. */
  private static final class Medium {
    @Option(
        names = "--backing",
        paramLabel = "FILE",
        description = "The blocks: a raw image or a block device, as large as it is.")
    private Path backing;

    @Option(
        names = "--size",
        paramLabel = "SIZE",
        converter = ByteSize.class,
        description = "Blocks in memory instead, lost with the process (default: 1G).")
    private Long size;
  }

  @Option(
      names = "--lba",
      paramLabel = "512|4096",
      defaultValue = "512",
      description = "Bytes of a logical block (default: 512).")
  @JsonProperty("lba")
  private int lba = NvmeConfig.DEFAULT.lbaSize();

  @Option(
      names = "--cmb",
      paramLabel = "SIZE",
      defaultValue = "64M",
      converter = ByteSize.class,
      description =
          "The Controller Memory Buffer behind BAR 2: a power of two, 4K to 64G, or 0 for none"
              + " (default: 64M).")
  @JsonProperty("cmb")
  @JsonDeserialize(converter = ByteSize.FromText.class)
  private long cmb = NvmeConfig.DEFAULT.cmbSize();

  @Option(
      names = "--queues",
      paramLabel = "N",
      defaultValue = "16",
      description = "Pairs of I/O queues, 1 to 64 (default: 16).")
  @JsonProperty("queues")
  private int queues = NvmeConfig.DEFAULT.queues();

  @Option(
      names = "--doorbells",
      paramLabel = "trap|map",
      defaultValue = "trap",
      description =
          "trap: every doorbell write is a message; map: the doorbell page is shared memory,"
              + " which the endpoint watches (default: trap).")
  @JsonProperty("doorbells")
  private DoorbellMode doorbells = DoorbellMode.TRAP;

  @Option(
      names = "--shadow-doorbells",
      arity = "1",
      paramLabel = "on|off",
      converter = OnOff.class,
      description =
          "Offer Doorbell Buffer Config, with which drivers ring in their own memory; off for"
              + " drivers and peers that ring queues of their own by the registers or the mapped"
              + " page alone (default: on, off with --doorbells=map).")
  @JsonProperty("shadow-doorbells")
  @JsonDeserialize(converter = OnOff.FromText.class)
  private Boolean shadowDoorbells;

  @Option(
      names = "--serial",
      paramLabel = "TEXT",
      description =
          "The serial number, up to 20 printable ASCII characters; no two controllers of a guest"
              + " may have the same (default: made from the path of the image or of the socket).")
  @JsonProperty("serial")
  private String serial;

  @JsonProperty("backing")
  private void backing(Path path) {
    medium.backing = path;
  }

  @JsonProperty("size")
  @JsonDeserialize(converter = ByteSize.FromText.class)
  private void size(Long bytes) {
    medium.size = bytes;
  }

  @Override
  String name() {
    return "nvme";
  }

  @Override
  void check() {
    // On the command line the group says so; a file may have both.
    if (medium != null && medium.backing != null && medium.size != null) {
      throw new IllegalArgumentException(
          "An NVMe endpoint has a backing file or a size in memory, not both.");
    }
    NvmeConfig config = config(serial == null ? NvmeConfig.DEFAULT.serialNumber() : serial);
    if (backing().isEmpty() && (size() == 0 || size() % config.lbaSize() != 0)) {
      throw new IllegalArgumentException(
          "The size of the storage is a multiple of its %d-byte blocks, at least one; not %d bytes."
              .formatted(config.lbaSize(), size()));
    }
  }

  @Override
  OpenEndpoint open(ListeningPlace place) throws IOException {
    check();
    NvmeConfig config = config(serial == null ? DerivedSerial.of(backing(), place) : serial);
    Storage storage = storage(config.lbaSize());
    return new OpenEndpoint(new NvmeEndpoint(config, storage), Optional.of(storage));
  }

  private Storage storage(int lbaSize) throws IOException {
    if (backing().isEmpty()) {
      return HostMemory.storage(size());
    }
    ImageFile image = ImageFile.open(backing().get());
    if (image.size() % lbaSize != 0) {
      image.close();
      throw new IOException(
          "%s has %d bytes, which is no multiple of its %d-byte blocks"
              .formatted(backing().get(), image.size(), lbaSize));
    }
    return image;
  }

  /** None on the command line that has neither option: then there is no medium either. */
  private Optional<Path> backing() {
    return Optional.ofNullable(medium).map(given -> given.backing);
  }

  private long size() {
    return medium == null || medium.size == null ? DEFAULT_SIZE : medium.size;
  }

  NvmeConfig config(String serialNumber) {
    boolean shadow =
        shadowDoorbells == null ? NvmeConfig.shadowDoorbells(doorbells) : shadowDoorbells;
    return new NvmeConfig(lba, cmb, queues, doorbells, shadow, serialNumber);
  }
}
