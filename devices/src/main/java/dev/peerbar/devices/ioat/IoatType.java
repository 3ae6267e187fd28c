package dev.peerbar.devices.ioat;

import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.endpoint.EndpointType;
import java.util.List;

/** The I/OAT DMA engine, as it is served by name. */
public final class IoatType implements EndpointType {
  private static final EndpointOption<Integer> CHANNELS =
      EndpointOption.number("channels", "DMA channels, 1 to 8.", IoatConfig.DEFAULT.channels());

  @Override
  public String name() {
    return "ioat";
  }

  @Override
  public String description() {
    return "a DMA engine compatible with Intel I/OAT 3.2, for the kernel's ioatdma";
  }

  @Override
  public List<EndpointOption<?>> options() {
    return List.of(CHANNELS);
  }

  @Override
  public Factory configure(EndpointOptions options) {
    IoatConfig config = new IoatConfig(options.get(CHANNELS));
    return _ -> new IoatEndpoint(config);
  }
}
