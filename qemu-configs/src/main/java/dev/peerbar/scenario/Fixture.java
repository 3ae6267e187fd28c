package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.server.EndpointServer;
import java.io.IOException;
import java.util.List;

/**
 * Endpoints that this process serves, and a booted guest that has them: shared by scenarios that
 * run one after the other. Closing it ends guest and endpoints whatever state they are in.
 *
 * @param <E> what it gives a scenario
 */
public interface Fixture<E extends Environment> extends AutoCloseable {

  Lab lab();

  /** The endpoints that this process serves. */
  List<EndpointServer> servers();

  /**
   * Whether a driver of the guest's kernel has an endpoint: it maps memory and arms interrupts for
   * itself, and keeps them. Then a scenario is not asked to leave as many as it found.
   */
  default boolean isKernels(EndpointServer server) {
    return false;
  }

  /** Gives a scenario what it works on: nothing of it has been used by another. */
  E open(Run run) throws Exception;

  /**
   * Takes back what {@link #open} gave, after a scenario that ended well or badly.
   *
   * @return what the scenario left in it, a phrase each, such as {@code "64 KiB mapped in the
   *     IOAS"}
   */
  List<String> release(E environment) throws Exception;

  @Override
  void close() throws IOException;
}
