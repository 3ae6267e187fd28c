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
   * Whether the guest's kernel maps memory for the endpoints when it likes, as its own drivers have
   * it do behind an IOMMU: then it is nobody's fault if there is more of that than before.
   */
  default boolean guestMapsAsItLikes() {
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
