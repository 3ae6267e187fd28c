package dev.peerbar.scenario.mutant;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ResetKind;

/** What an endpoint does otherwise than it should; as it stands, nothing. */
interface Mutation {
  Mutation NONE = new Mutation() {};

  /** On the function's thread. */
  default void reset(MutableEndpoint of, Endpoint sound, ResetKind kind) {
    sound.reset(kind);
  }

  /** On the function's thread. */
  default long read(Endpoint sound, int bar, long offset, AccessWidth width) {
    return sound.read(bar, offset, width);
  }

  /** On the function's thread. */
  default void write(
      MutableEndpoint of, Endpoint sound, int bar, long offset, AccessWidth width, long value) {
    sound.write(bar, offset, width, value);
  }

  /** What a job masters the bus by. On an engine's thread. */
  default Dma dma(Dma sound) {
    return sound;
  }

  /** On an engine's thread. */
  default boolean signal(MutableEndpoint of, Job sound, int vector) throws JobEndedException {
    return sound.signal(vector);
  }

  /** On the function's thread, when the timer that the mutation has armed is due. */
  default void later(MutableEndpoint of) {}
}
