package dev.peerbar.devices.gpu;

import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.endpoint.EndpointType;
import dev.peerbar.virtio.VirtioPciEndpoint;
import java.util.List;

/** The virtio-gpu device over PCI, as it is served by name. */
public final class GpuType implements EndpointType {
  private static final EndpointOption<Integer> OUTPUTS =
      EndpointOption.number("outputs", "Displays, 1 to 16.", GpuConfig.DEFAULT.outputs());
  private static final EndpointOption<DisplaySize> SIZE =
      EndpointOption.of(
              "size",
              "WIDTHxHEIGHT",
              "The mode that each display prefers, 64x64 to 4095x4095.",
              DisplaySize.class,
              DisplaySize::parse)
          .withPreset(GpuConfig.DEFAULT.size(), GpuConfig.DEFAULT.size().toString());

  @Override
  public String name() {
    return "gpu";
  }

  @Override
  public String description() {
    return "a virtio-gpu without 3D, for the kernel's virtio-gpu";
  }

  @Override
  public List<EndpointOption<?>> options() {
    return List.of(OUTPUTS, SIZE);
  }

  @Override
  public Factory configure(EndpointOptions options) {
    GpuConfig config = new GpuConfig(options.get(OUTPUTS), options.get(SIZE));
    return _ -> new VirtioPciEndpoint(new GpuDevice(config));
  }
}
