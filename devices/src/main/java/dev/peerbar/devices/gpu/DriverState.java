package dev.peerbar.devices.gpu;

import java.util.List;
import java.util.stream.Stream;

/** All that a driver has made, from one reset to the next. For the engine's thread. */
record DriverState(HostMemory memory, Resources resources, List<Output> outputs) {

  static DriverState empty(GpuLimits limits, int outputs, PixelReader reader) {
    HostMemory memory = new HostMemory(limits.hostBytes());
    return new DriverState(
        memory,
        new Resources(limits.resources(), memory),
        Stream.generate(() -> new Output(reader, memory)).limit(outputs).toList());
  }

  /**
   * @param id as a driver says it, unsigned
   * @throws CommandException if there is none
   */
  Output output(long id) throws CommandException {
    if (id >= outputs.size()) {
      throw new CommandException(ResponseType.ERR_INVALID_SCANOUT_ID);
    }
    return outputs.get((int) id);
  }
}
