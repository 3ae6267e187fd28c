package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.endpoint.EndpointType;
import dev.peerbar.pci.DoorbellMode;
import java.util.List;

/** The HBM accelerator, as it is served by name. */
public final class HbmType implements EndpointType {
  private static final EndpointOption<Long> BAR_SIZE =
      EndpointOption.size(
          "bar-size",
          "The memory behind BAR 2: a power of two, 1M to 64G.",
          HbmConfig.DEFAULT.barSize());
  private static final EndpointOption<Integer> CHANNELS =
      EndpointOption.number("channels", "DMA channels, 1 to 16.", HbmConfig.DEFAULT.channels());
  private static final EndpointOption<DoorbellMode> DOORBELLS =
      EndpointOption.choice(
          "doorbells",
          "trap: every doorbell write is a message; map: the doorbell page is shared memory,"
              + " which the endpoint watches.",
          HbmConfig.DEFAULT.doorbells());
  private static final EndpointOption<Boolean> SCRUB_ON_RESET =
      EndpointOption.flag("scrub-on-reset", "Zero the memory at every reset.");

  @Override
  public String name() {
    return "hbm";
  }

  @Override
  public String description() {
    return "an accelerator with memory behind a BAR and DMA channels";
  }

  @Override
  public List<EndpointOption<?>> options() {
    return List.of(BAR_SIZE, CHANNELS, DOORBELLS, SCRUB_ON_RESET);
  }

  @Override
  public Factory configure(EndpointOptions options) {
    HbmConfig config =
        new HbmConfig(
            options.get(BAR_SIZE),
            options.get(CHANNELS),
            options.get(DOORBELLS),
            options.get(SCRUB_ON_RESET));
    return _ -> new HbmEndpoint(config);
  }
}
