package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.VfioSpace;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** One more guest like a pair's, which has one endpoint, on port a. Closing it ends it. */
final class OtherGuest implements AutoCloseable {
  private static final long LENGTH = 1L << 20;
  private static final int QUEUED = 24;
  private static final int SLOT = 1;

  private final Lab lab;
  private final VfioSpace space;
  private final Initiator initiator;

  private OtherGuest(Lab lab) throws IOException {
    this.lab = lab;
    space = VfioSpace.open(lab.guest());
    initiator = Initiator.of(HbmDriver.of(space.attach(SLOT)));
  }

  /**
   * Boots it, and opens the endpoint.
   *
   * @param socket where the endpoint is served
   */
  static OtherGuest boot(HbmPair pair, Path socket) throws IOException {
    Lab first = pair.lab();
    Lab lab =
        Lab.boot(
            first.files(),
            first.machine().withoutEndpoints().withEndpoint("a", socket),
            first.logs().resolve("other-guest-" + socket.getFileName()));
    try {
      return new OtherGuest(lab);
    } catch (IOException | RuntimeException e) {
      lab.close();
      throw e;
    }
  }

  /** Has the endpoint copy within the guest's memory, and compares every byte. */
  void copy(long seed) throws Exception {
    DmaRange out = space.allocate(LENGTH, 0);
    DmaRange back = space.allocate(LENGTH, 0);
    Pattern.fill(out, seed);
    initiator.copy(out.iova(), back.iova(), LENGTH);
    var seen = Pattern.verify(back, seed);
    unless(seen.isEmpty(), "a copy in the other guest differs: %s", seen);
  }

  /** Has the endpoint copy within the guest's memory for a while, and returns when it does. */
  void beginCopies() throws Exception {
    DmaRange memory = space.allocate(2 * LENGTH, 0);
    Descriptor[] copies = new Descriptor[QUEUED];
    Arrays.fill(copies, Initiator.copying(memory.iova(), memory.iova() + LENGTH, LENGTH));
    initiator.channel().submit(copies);
    unless(initiator.channel().completed() >= 0, "the endpoint does not count");
  }

  /** Kills its QEMU (SIGKILL), and waits until that has gone. */
  void kill() throws Exception {
    ProcessHandle.of(lab.qemu().pid()).ifPresent(ProcessHandle::destroyForcibly);
    unless(lab.qemu().awaitEnd(ThirdEndpoint.LIMIT), "QEMU does not end");
  }

  /** Turns it off as it should be: nothing may be left in it, or have been complained about. */
  void turnOff() throws Exception {
    List<String> left = space.release();
    unless(left.isEmpty(), "left in the other guest: %s", left);
    List<Lab.Complaint> complaints = lab.powerOff();
    unless(complaints.isEmpty(), "in the other guest: %s", complaints);
  }

  @Override
  public void close() throws IOException {
    lab.close();
  }
}
