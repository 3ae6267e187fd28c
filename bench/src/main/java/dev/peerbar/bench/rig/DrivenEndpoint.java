package dev.peerbar.bench.rig;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.time.Duration;

/**
 * An HBM endpoint that its driver has set up, with channel 0 enabled. What is timed takes the
 * shortest way: the doorbell is encoded before and sent on a bare connection, and the interrupt is
 * waited for at its event descriptor. For one thread.
 */
public final class DrivenEndpoint implements Closeable {
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ServedEndpoint endpoint;
  private final Messenger connection;
  private final SocketDevice device;
  private final HbmChannel channel;
  private final MemorySegment doorbell;

  /** What is to be set up beside the channel. */
  @FunctionalInterface
  public interface SetUp {
    void with(VfioUserClient client) throws IOException;
  }

  private DrivenEndpoint(
      ServedEndpoint endpoint,
      Messenger connection,
      SocketDevice device,
      HbmChannel channel,
      MemorySegment doorbell) {
    this.endpoint = endpoint;
    this.connection = connection;
    this.device = device;
    this.channel = channel;
    this.doorbell = doorbell;
  }

  /**
   * Sets an endpoint up.
   *
   * @param endpoint closed with this
   * @param entries of the ring, a power of two
   * @param posted whether doorbells are written without being told of the end
   */
  public static DrivenEndpoint of(ServedEndpoint endpoint, int entries, boolean posted, SetUp more)
      throws IOException {
    FileDescriptor server = endpoint.connectSocket();
    try {
      UnixSocket.Pair ends = UnixSocket.pair();
      try (Relay _ = Relay.start(ends.second(), server);
          VfioUserClient client = VfioUserClient.connect(ends.first())) {
        client.negotiate(Capabilities.DEFAULTS);
        SocketDevice device = new SocketDevice(client);
        HbmChannel channel = HbmDriver.of(device).channel(0, entries).enable();
        more.with(client);
        RoundTrip bell = RoundTrip.write(HbmRegisters.BAR, channel.doorbell(), Integer.BYTES, 1);
        return new DrivenEndpoint(
            endpoint,
            new Messenger(server, bell.reply()),
            device,
            channel,
            posted ? bell.posted() : bell.request());
      }
    } catch (IOException | RuntimeException e) {
      server.close();
      endpoint.close();
      throw e;
    }
  }

  /** Where descriptors are put. */
  public HbmChannel channel() {
    return channel;
  }

  /** The connection, on which nothing is on its way. */
  public Messenger connection() {
    return connection;
  }

  /** What serves it. */
  public EndpointServer server() {
    return endpoint.server();
  }

  /** Sends the doorbell for the next entries. */
  public void ring(int count) throws LinuxException {
    doorbell.set(INT, doorbell.byteSize() - Integer.BYTES, channel.advance(count));
    connection.send(doorbell);
  }

  /** Waits for the channel's interrupt. */
  public void awaitInterrupt() throws IOException {
    if (!channel.awaitInterrupt(PATIENCE)) {
      throw new IllegalStateException("no interrupt");
    }
  }

  @Override
  public void close() throws IOException {
    connection.close();
    endpoint.close();
    // Last, since it has the memory of the ring.
    device.close();
  }
}
