package dev.peerbar.server.dma;

/**
 * An engine among those of a process.
 *
 * @param function whose engine it is
 * @param engine among those of the function
 */
public record EngineName(String function, String engine) {

  @Override
  public String toString() {
    return function + "-" + engine;
  }
}
