package dev.peerbar.scenario;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** A fixture whose guest is up, and what has been looked for in that. For one thread at a time. */
final class BootedFixture<E extends Environment> implements AutoCloseable {
  private final FixtureKind<E> kind;
  private final Fixture<E> fixture;
  private final Path logs;
  private final Map<Requirement, Optional<String>> looked = new HashMap<>();

  BootedFixture(FixtureKind<E> kind, Fixture<E> fixture, Path logs) {
    this.kind = kind;
    this.fixture = fixture;
    this.logs = logs;
  }

  Fixture<E> fixture() {
    return fixture;
  }

  /** The directory of QEMU's and the guest's logs. */
  Path logs() {
    return logs;
  }

  /** Why a scenario cannot be tried here, if it cannot. */
  Optional<String> missingFor(Scenario<E> scenario) throws IOException {
    List<Requirement> needs =
        Stream.concat(kind.needs().stream(), scenario.description().needs().stream()).toList();
    for (Requirement need : needs) {
      Optional<String> missing = looked.get(need);
      if (missing == null) {
        missing = need.missingIn(fixture.lab());
        looked.put(need, missing);
      }
      if (missing.isPresent()) {
        return missing;
      }
    }
    return Optional.empty();
  }

  @Override
  public void close() throws IOException {
    fixture.close();
  }
}
