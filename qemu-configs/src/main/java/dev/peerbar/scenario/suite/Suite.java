package dev.peerbar.scenario.suite;

import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.bar.MapMemory;

/** Every scenario of the program, a line each, in the order in which they are listed and run. */
public final class Suite {
  public static final Registry ALL = Registry.of(new MapMemory());

  private Suite() {}
}
