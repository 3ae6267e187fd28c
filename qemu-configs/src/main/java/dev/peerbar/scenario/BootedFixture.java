package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.GuestGoneException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A fixture whose guest is up, and what has been looked for in that. For one thread at a time, but
 * for what it complains of.
 */
final class BootedFixture<E extends Environment> implements AutoCloseable {
  private final FixtureKind<E> kind;
  private final Fixture<E> fixture;
  private final Path logs;
  private final Map<Requirement, Optional<String>> looked = new HashMap<>();
  private Lab.Mark judged;
  private boolean abandoned;

  BootedFixture(FixtureKind<E> kind, Fixture<E> fixture, Path logs) throws IOException {
    this.kind = kind;
    this.fixture = fixture;
    this.logs = logs;
    judged = fixture.lab().mark("scenarios begin");
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

  /**
   * What the guest's kernel and QEMU have complained about since this was asked last, or since
   * scenarios began: every line is somebody's.
   *
   * @param what has ended, for the kernel's log
   */
  synchronized List<Lab.Complaint> complaints(String what) throws IOException {
    Lab.Mark now = fixture.lab().mark(what);
    List<Lab.Complaint> complaints = judged.until(now);
    judged = now;
    return complaints;
  }

  /**
   * The same of a guest that need not be there any more.
   *
   * @param what has ended, for the kernel's log
   */
  synchronized List<Lab.Complaint> lastComplaints(String what) throws IOException {
    try {
      return complaints(what);
    } catch (GuestGoneException e) {
      return judged.sinceByConsole();
    }
  }

  /** Turns the guest off; what was complained about since that was asked last. */
  synchronized List<Lab.Complaint> powerOff() throws IOException {
    return fixture.lab().powerOff(judged);
  }

  /**
   * Somebody still uses it and does not end: closing it will end the guest, but leave the
   * endpoints, whose memory nobody may touch who finds it gone.
   */
  void abandon() {
    abandoned = true;
  }

  @Override
  public void close() throws IOException {
    if (abandoned) {
      fixture.lab().close();
    } else {
      fixture.close();
    }
  }
}
