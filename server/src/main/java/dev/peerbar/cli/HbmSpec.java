package dev.peerbar.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.server.ListeningPlace;
import picocli.CommandLine.Option;

/** An HBM accelerator: the same options on the command line and in a file. */
final class HbmSpec extends EndpointSpec {
  @Option(
      names = "--bar-size",
      paramLabel = "SIZE",
      defaultValue = "256M",
      converter = ByteSize.class,
      description = "The memory behind BAR 2: a power of two, 1M to 64G (default: 256M).")
  @JsonProperty("bar-size")
  @JsonDeserialize(converter = ByteSize.FromText.class)
  private long barSize = 256L << 20;

  @Option(
      names = "--channels",
      paramLabel = "N",
      defaultValue = "4",
      description = "DMA channels, 1 to 16 (default: 4).")
  @JsonProperty("channels")
  private int channels = 4;

  @Option(
      names = "--doorbells",
      paramLabel = "trap|map",
      defaultValue = "trap",
      description =
          "trap: every doorbell write is a message; map: the doorbell page is shared memory,"
              + " which the endpoint watches (default: trap).")
  @JsonProperty("doorbells")
  private DoorbellMode doorbells = DoorbellMode.TRAP;

  @Option(names = "--scrub-on-reset", description = "Zero the memory at every reset.")
  @JsonProperty("scrub-on-reset")
  private boolean scrubOnReset;

  @Override
  String name() {
    return "hbm";
  }

  @Override
  void check() {
    config();
  }

  @Override
  OpenEndpoint open(ListeningPlace place) {
    return OpenEndpoint.without(new HbmEndpoint(config()));
  }

  private HbmConfig config() {
    return new HbmConfig(barSize, channels, doorbells, scrubOnReset);
  }
}
