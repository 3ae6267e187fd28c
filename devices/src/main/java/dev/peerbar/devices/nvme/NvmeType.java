package dev.peerbar.devices.nvme;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.EndpointContext;
import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.endpoint.EndpointType;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The NVMe controller, as it is served by name. */
public final class NvmeType implements EndpointType {
  private static final long DEFAULT_SIZE = 1L << 30;

  private static final EndpointOption<Path> BACKING =
      EndpointOption.file(
          "backing", "The blocks: a raw image or a block device, as large as it is.");
  private static final EndpointOption<Long> SIZE =
      EndpointOption.size("size", "Blocks in memory instead, lost with the process (default: 1G).")
          .insteadOf(BACKING);
  private static final EndpointOption<Integer> LBA =
      EndpointOption.number("lba", "Bytes of a logical block.", NvmeConfig.DEFAULT.lbaSize())
          .withLabel("512|4096");
  private static final EndpointOption<Long> CMB =
      EndpointOption.size(
          "cmb",
          "The Controller Memory Buffer behind BAR 2: a power of two, 4K to 64G, or 0 for none.",
          NvmeConfig.DEFAULT.cmbSize());
  private static final EndpointOption<Integer> QUEUES =
      EndpointOption.number("queues", "Pairs of I/O queues, 1 to 64.", NvmeConfig.DEFAULT.queues());
  private static final EndpointOption<DoorbellMode> DOORBELLS =
      EndpointOption.choice(
          "doorbells",
          "trap: every doorbell write is a message; map: the doorbell page is shared memory,"
              + " which the endpoint watches.",
          NvmeConfig.DEFAULT.doorbells());
  private static final EndpointOption<Boolean> SHADOW_DOORBELLS =
      EndpointOption.onOff(
          "shadow-doorbells",
          "Offer Doorbell Buffer Config, with which drivers ring in their own memory; off for"
              + " drivers and peers that ring queues of their own by the registers or the mapped"
              + " page alone (default: on, off with --doorbells=map).");
  private static final EndpointOption<String> SERIAL =
      EndpointOption.text(
          "serial",
          "The serial number, up to 20 printable ASCII characters; no two controllers of a guest"
              + " may have the same (default: made from the path of the image or of the socket).");

  /**
   * A controller to make.
   *
   * @param config as it was asked for; with a serial number of no meaning if none was
   * @param serialNumber if one was asked for
   * @param backing the image; if empty, blocks are in memory
   * @param size of the blocks in memory, in bytes
   */
  public record Made(
      NvmeConfig config, Optional<String> serialNumber, Optional<Path> backing, long size)
      implements Factory {

    @Override
    public Endpoint make(EndpointContext context) throws IOException {
      NvmeConfig whole =
          config.withSerialNumber(serialNumber.orElseGet(() -> context.serialNumber(backing)));
      return new NvmeEndpoint(whole, storage(context));
    }

    private Storage storage(EndpointContext context) throws IOException {
      if (backing.isEmpty()) {
        return context.memory(size);
      }
      Storage image = context.image(backing.get());
      if (image.size() % config.lbaSize() != 0) {
        throw new IOException(
            "%s has %d bytes, which is no multiple of its %d-byte blocks"
                .formatted(backing.get(), image.size(), config.lbaSize()));
      }
      return image;
    }
  }

  @Override
  public String name() {
    return "nvme";
  }

  @Override
  public String description() {
    return "an NVMe controller with a Controller Memory Buffer";
  }

  @Override
  public List<EndpointOption<?>> options() {
    return List.of(BACKING, SIZE, LBA, CMB, QUEUES, DOORBELLS, SHADOW_DOORBELLS, SERIAL);
  }

  @Override
  public Made configure(EndpointOptions options) {
    Optional<Path> backing = options.find(BACKING);
    // On the command line the options themselves say so; a file may have both.
    if (backing.isPresent() && options.find(SIZE).isPresent()) {
      throw new IllegalArgumentException(
          "An NVMe endpoint has a backing file or a size in memory, not both.");
    }
    Optional<String> serialNumber = options.find(SERIAL);
    DoorbellMode doorbells = options.get(DOORBELLS);
    NvmeConfig config =
        new NvmeConfig(
            options.get(LBA),
            options.get(CMB),
            options.get(QUEUES),
            doorbells,
            options.find(SHADOW_DOORBELLS).orElse(NvmeConfig.shadowDoorbells(doorbells)),
            serialNumber.orElse(NvmeConfig.DEFAULT.serialNumber()));
    long size = options.find(SIZE).orElse(DEFAULT_SIZE);
    if (backing.isEmpty() && (size == 0 || size % config.lbaSize() != 0)) {
      throw new IllegalArgumentException(
          "The size of the storage is a multiple of its %d-byte blocks, at least one; not %d bytes."
              .formatted(config.lbaSize(), size));
    }
    return new Made(config, serialNumber, backing, size);
  }
}
