package dev.peerbar.lab.scenario;

import dev.peerbar.lab.boot.Lab;
import java.io.IOException;
import java.util.List;

/** A guest with endpoints, and steps to perform in it in order. Closing it ends all of it. */
public interface Scenario extends AutoCloseable {

  /** The guest, for a shell beside the steps. */
  Lab lab();

  /** The steps; each relies on those before it. */
  List<Step> steps();

  @Override
  void close() throws IOException;
}
