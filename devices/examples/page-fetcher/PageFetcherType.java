package dev.peerbar.sample;

import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.endpoint.EndpointType;
import java.util.List;

/** What {@code serve page-fetcher} serves. */
public final class PageFetcherType implements EndpointType {
  private static final EndpointOption<Long> MEMORY =
      EndpointOption.size("memory", "The memory behind BAR 2: a power of two, 4K to 1G.", 1 << 20);

  @Override
  public String name() {
    return "page-fetcher";
  }

  @Override
  public String description() {
    return "a function that reads pages of guest memory";
  }

  @Override
  public List<EndpointOption<?>> options() {
    return List.of(MEMORY);
  }

  @Override
  public Factory configure(EndpointOptions options) {
    long memory = options.get(MEMORY);
    if (memory < 1 << 12 || memory > 1 << 30 || Long.bitCount(memory) != 1) {
      throw new IllegalArgumentException(
          "The memory is a power of two from 4 KiB to 1 GiB, not %d bytes.".formatted(memory));
    }
    return _ -> new PageFetcher(memory);
  }
}
