package dev.peerbar.bench.rig;

import dev.peerbar.bench.harness.Fixture;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.server.ServerOptions;
import java.io.Closeable;
import java.io.IOException;

/**
 * An HBM endpoint with a client on a bare connection, and beside it the floor of a round trip: a
 * thread that does one recvmsg and one sendmsg of the same sizes.
 */
public final class EndpointAndFloor implements Closeable {
  private final RoundTrip roundTrip;
  private final ServedEndpoint endpoint;
  private final Messenger client;
  private final Floor floor;

  private EndpointAndFloor(
      RoundTrip roundTrip, ServedEndpoint endpoint, Messenger client, Floor floor) {
    this.roundTrip = roundTrip;
    this.endpoint = endpoint;
    this.client = client;
    this.floor = floor;
  }

  /**
   * Starts both.
   *
   * @param name of the endpoint and its threads
   * @param placement of the threads that answer; the caller has to place its own
   */
  public static EndpointAndFloor start(
      String name, Placement placement, ServerOptions options, RoundTrip roundTrip)
      throws Exception {
    ServedEndpoint endpoint =
        placement.server(
            () -> ServedEndpoint.start(name, new HbmEndpoint(HbmConfig.DEFAULT), options));
    return new EndpointAndFloor(
        roundTrip,
        endpoint,
        endpoint.connectBare(roundTrip.reply()),
        placement.server(roundTrip::startFloor));
  }

  /** The endpoint's client. */
  public Messenger client() {
    return client;
  }

  /** The floor's. */
  public Messenger floor() {
    return floor.messenger();
  }

  /** The round trip with both. */
  public Fixture fixture() {
    return new Fixture(roundTrip.over(floor()), roundTrip.over(client), this);
  }

  @Override
  public void close() throws IOException {
    client.close();
    floor.close();
    endpoint.close();
  }
}
