package dev.peerbar.bench.memory;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.function.Function;

/**
 * A memory BAR as its client has it: mapped, from the descriptor that the server gives. The floor
 * is a memory file of this process, as large, mapped in the same way. So both have pages of the
 * same size, huge ones only if the machine gives shared memory huge ones unasked, and what differs
 * is what the server does to its file.
 */
final class BarAndPlain implements Closeable {
  /** Of each, in bytes. */
  static final long SIZE = 64 << 20;

  private final ServedEndpoint endpoint;
  private final VfioUserClient client;
  private final Mapping bar;
  private final Mapping plain;

  private BarAndPlain(ServedEndpoint endpoint, VfioUserClient client, Mapping bar, Mapping plain) {
    this.endpoint = endpoint;
    this.client = client;
    this.bar = bar;
    this.plain = plain;
    // Every page is there before anything is timed.
    bar.segment().fill((byte) 1);
    plain.segment().fill((byte) 1);
  }

  static BarAndPlain open() throws IOException, BenchmarkException {
    HbmConfig config = new HbmConfig(SIZE, 1, DoorbellMode.TRAP, false);
    ServedEndpoint endpoint = ServedEndpoint.start("bar", new HbmEndpoint(config));
    VfioUserClient client = endpoint.connect();
    Mapping bar = map(client);
    try (FileDescriptor file = SharedMemory.create("plain", SIZE)) {
      Mapping plain = SharedMemory.map(file, 0, SIZE, SharedMemory.Access.READ_WRITE);
      return new BarAndPlain(endpoint, client, bar, plain);
    }
  }

  private static Mapping map(VfioUserClient client) throws IOException, BenchmarkException {
    client.negotiate(Capabilities.DEFAULTS);
    try (var region = client.regionInfo(HbmRegisters.MEMORY_BAR)) {
      DeviceGetRegionInfo.Reply info = region.value();
      if (region.descriptors().isEmpty()) {
        throw new BenchmarkException("The server gives no descriptor for its memory BAR.");
      }
      return SharedMemory.map(
          region.descriptors().getFirst(),
          info.offset(),
          info.size(),
          SharedMemory.Access.READ_WRITE);
    }
  }

  /**
   * The same in both.
   *
   * @param walk through memory of {@code length} bytes
   */
  Fixture walk(long length, Function<MemorySegment, Workload> walk) {
    return new Fixture(
        walk.apply(plain.segment().asSlice(0, length)),
        walk.apply(bar.segment().asSlice(0, length)),
        this);
  }

  @Override
  public void close() throws IOException {
    plain.close();
    bar.close();
    client.close();
    endpoint.close();
  }
}
