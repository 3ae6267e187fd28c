package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.fixture.ProcessFacts;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * An endpoint that fails where nobody foresaw it: the client is hung up on, never left with a
 * connection that nobody serves, and the next one is served.
 */
@Tag("polled")
@Timeout(120)
final class FailureTest {
  private static final int BAR = 0;
  private static final long PAGE = 4096;
  private static final long BAR_SIZE = 128 << 10;
  private static final long GOOD = 0;
  private static final long BAD = 8;
  private static final long UPDATE = 16;
  private static final long BELL = BAR_SIZE - PAGE;
  private static final long VALUE = 0x600d_600dL;

  @TempDir private Path directory;
  private EndpointServer server;
  private VfioUserClient client;

  /** Has a register to read, and others that fail with an Error. */
  private static final class FailingEndpoint implements Endpoint {
    private final PciFunction function =
        PciFunction.builder()
            .identity(0x1234, 0x0002)
            .classCode(0xff0000)
            .registers(BAR, BAR_SIZE, new Bar.Doorbells(BELL, PAGE, 8, 4))
            .build();
    private Engine engine;

    @Override
    public PciFunction function() {
      return function;
    }

    @Override
    public void start(Host host) {
      engine = host.engine("failing");
    }

    @Override
    public long read(int bar, long offset, AccessWidth width) {
      if (offset == GOOD) {
        return VALUE;
      }
      throw new AssertionError("on purpose");
    }

    @Override
    public void write(int bar, long offset, AccessWidth width, long value) {
      if (offset == UPDATE) {
        engine.submit(job -> job.update(() -> read(BAR, BAD, AccessWidth.DWORD)));
      } else {
        read(bar, offset, width);
      }
    }

    @Override
    public void reset(ResetKind kind) {}
  }

  @BeforeEach
  void serve() throws IOException {
    Path path = directory.resolve("failing.sock");
    server = Serving.start("failing", new FailingEndpoint(), path);
    client = connect();
  }

  private VfioUserClient connect() throws IOException {
    VfioUserClient connected = VfioUserClient.connect(directory.resolve("failing.sock"));
    connected.setTimeout(Wire.LIMIT);
    connected.negotiate(Wire.capabilities());
    return connected;
  }

  @AfterEach
  void stop() {
    client.close();
    server.close();
  }

  private void hungUpOnAndTheNextIsServed() throws IOException {
    assertThat(client.awaitEnd(Wire.LIMIT)).as("the end of the connection").isTrue();
    client.close();
    client = connect();
    assertThat(client.readInt(BAR, GOOD)).isEqualTo((int) VALUE);
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 8, 64})
  void aReadThatFails(int length) throws Exception {
    client.submit(Command.REGION_READ, new RegionRead.Request(BAD, BAR, length));
    hungUpOnAndTheNextIsServed();
    client.submit(Command.REGION_READ, new RegionRead.Request(BAD, BAR, length));
    hungUpOnAndTheNextIsServed();
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 8, 64})
  void aWriteThatFails(int length) throws Exception {
    client.post(
        Command.REGION_WRITE,
        new RegionWrite.Request(BAD, BAR, Unpooled.buffer().writeZero(length)));
    hungUpOnAndTheNextIsServed();
  }

  @Test
  void anUpdateOfAJobThatFails() throws Exception {
    for (int i = 0; i < 10; i++) {
      client.writeInt(BAR, UPDATE, 1);
      hungUpOnAndTheNextIsServed();
    }
  }

  @Test
  void aMappedDoorbellThatFails() throws Exception {
    for (int round = 1; round <= 3; round++) {
      try (var region = client.regionInfo(BAR);
          Mapping bell =
              SharedMemory.map(
                  region.descriptors().getFirst(), BELL, PAGE, SharedMemory.Access.READ_WRITE)) {
        bell.segment().set(ValueLayout.JAVA_INT, 0, round);
        hungUpOnAndTheNextIsServed();
      }
    }
  }

  @Test
  void aReadThatFailsKeepsNoMemory() throws Exception {
    final int rounds = 1_000;
    final int length = 64 << 10;
    fail(length);
    ProcessFacts before = ProcessFacts.settled();
    for (int i = 0; i < rounds; i++) {
      fail(length);
    }
    ProcessFacts after = ProcessFacts.settled();
    System.out.printf("%d reads of 64 KiB that fail: before %s; after %s%n", rounds, before, after);
    assertThat(after.direct() - before.direct()).as("KiB of buffers").isLessThan(16 << 10);
    assertThat(after.descriptors()).isEqualTo(before.descriptors());
  }

  private void fail(int length) throws Exception {
    client.submit(Command.REGION_READ, new RegionRead.Request(GOOD, BAR, length));
    hungUpOnAndTheNextIsServed();
  }
}
