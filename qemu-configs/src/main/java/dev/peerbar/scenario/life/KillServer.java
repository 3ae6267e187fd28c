package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.qemu.Qemu;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.ServedApart;
import dev.peerbar.scenario.fixture.Wait;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;

/**
 * The process that serves endpoint C is killed: to its guest the function is gone without a word.
 *
 * <p>None of them closes C afterwards: the kernel then waits more than a minute for it to come out
 * of its reset.
 */
final class KillServer {
  private static final String[] ENDPOINT = {"hbm", "--bar-size=" + ThirdEndpoint.BAR_SIZE};

  /** What a read of a function returns that is not there. */
  private static final int ALL_ONES = -1;

  private static final int ENTRIES = 32;
  private static final int QUEUED = 24;
  private static final long LENGTH = 1L << 20;

  /** In few pages: QEMU has something to say of each that it cannot map for a device. */
  private static final long SHORT = 64L << 10;

  /** How QEMU 11.1.3 ends if it finds the socket closed as it answers a DMA request. */
  private static final Predicate<String> ABORT =
      java.util.regex.Pattern.compile("util/error.c:\\d+: error_setv: Assertion `\\*errp == NULL'")
          .asPredicate();

  private KillServer() {}

  static List<Scenario<?>> all() {
    return List.of(
        killing(
            "life.kill-server",
            "kill the idle C's server (SIGKILL), serve it again at the same path",
            "C reads all ones, A and B work on; QEMU does not connect again, but a new guest"
                + " does",
            KillServer::killIdle),
        killing(
            "life.kill-exporter",
            "kill C's server while B copies into C's memory",
            "the copies end well in memory that QEMU keeps, C reads all ones, A and B work on",
            KillServer::killExporter),
        killing(
            "life.kill-initiator",
            "kill C's server while it copies into A's memory",
            "no byte lands once QEMU knows; A and B work on, unless QEMU aborts as it answers C",
            KillServer::killInitiator));
  }

  /** What is done to an endpoint that can be killed. */
  @FunctionalInterface
  private interface Body {
    String run(HbmPair pair, ServedApart server, ThirdEndpoint c) throws Exception;
  }

  private static Scenario<?> killing(String name, String does, String expects, Body body) {
    return Case.on(HbmPair.HOT_PLUG, name, does, expects, pair -> run(pair, body))
        .needing(HotPlugging.NATIVE, GuestFeature.DMABUF_IMPORT)
        .spendingGuest();
  }

  private static String run(HbmPair pair, Body body) throws Exception {
    try (ServedApart server = ServedApart.start(log(pair, "server.log"), ENDPOINT);
        LockOrder _ = LockOrder.mayBeTold(pair)) {
      pair.run().mayComplain(new LostServer(server.socket()));
      return body.run(pair, server, ThirdEndpoint.plugIn(pair, server.socket()));
    }
  }

  private static Path log(HbmPair pair, String name) {
    return pair.lab().logs().resolve(name);
  }

  private static String killIdle(HbmPair pair, ServedApart server, ThirdEndpoint c)
      throws Exception {
    c.checkWorks();
    server.kill();
    checkGone(pair, c);
    try (ServedApart again = server.startAgain(log(pair, "server-again.log"), ENDPOINT)) {
      checkGone(pair, c);
      unless(!again.said().contains("a client"), "QEMU has connected again: %s", again.said());
      try (OtherGuest guest = OtherGuest.boot(pair, again.socket())) {
        guest.copy(pair.run().seed());
        guest.turnOff();
      }
      return "all ones before and after; a copy in a new guest";
    }
  }

  /** The function reads as if it were not there, and all others are as they were. */
  private static void checkGone(HbmPair pair, ThirdEndpoint c) throws Exception {
    int id = c.driver().read(HbmRegisters.ID);
    unless(id == ALL_ONES, "C has ID 0x%x", id);
    c.driver().write(HbmRegisters.SCRATCH, 1);
    int scratch = c.driver().read(HbmRegisters.SCRATCH);
    unless(scratch == ALL_ONES, "C has SCRATCH 0x%x", scratch);
    othersWork(pair);
  }

  private static void othersWork(HbmPair pair) throws Exception {
    long seed = pair.run().seed() + 1;
    pair.initiator().restart();
    DmaRange out = pair.allocate(SHORT, 0);
    Pattern.fill(out, seed);
    try (Import ofA = pair.importOfA(SHORT)) {
      pair.initiator().copy(out.iova(), ofA.iova(), SHORT);
      long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(0, SHORT), seed);
      unless(mismatch == SHORT, "A's memory differs at 0x%x", mismatch);
    }
    int id = pair.a().read(HbmRegisters.ID);
    unless(id == (int) HbmRegisters.ID_VALUE, "A has ID 0x%x", id);
  }

  private static String killExporter(HbmPair pair, ServedApart server, ThirdEndpoint c)
      throws Exception {
    long seed = pair.run().seed();
    DmaRange out = pair.allocate(LENGTH, 0);
    DmaRange back = pair.allocate(LENGTH, 0);
    Pattern.fill(out, seed);
    HbmChannel channel = pair.initiator().channel();
    try (Import ofC = c.importMemory()) {
      long before = channel.completed();
      channel.submit(copies(out.iova(), ofC.iova()));
      awaitCompleted(channel, before + 1);
      server.kill();
      ChannelState state = channel.awaitRest(Initiator.LIMIT);
      long completed = channel.completed() - before;
      unless(
          state == ChannelState.IDLE && completed == QUEUED,
          "B is %s after %d of %d copies, error %d",
          state,
          completed,
          QUEUED,
          channel.error());
      pair.initiator().restart();
      pair.initiator().copy(ofC.iova(), back.iova(), LENGTH);
      var seen = Pattern.verify(back, seed);
      unless(seen.isEmpty(), "what is in C's memory differs: %s", seen);
    }
    checkGone(pair, c);
    return "%d copies of 1 MiB ended well".formatted(QUEUED);
  }

  private static Descriptor[] copies(long from, long to) {
    Descriptor[] copies = new Descriptor[QUEUED];
    Arrays.fill(copies, Initiator.copying(from, to, LENGTH));
    return copies;
  }

  private static void awaitCompleted(HbmChannel channel, long count) throws Exception {
    long end = System.nanoTime() + Initiator.LIMIT.toNanos();
    while (channel.completed() < count) {
      unless(System.nanoTime() < end, "the copies do not go on");
    }
  }

  private static String killInitiator(HbmPair pair, ServedApart server, ThirdEndpoint c)
      throws Exception {
    pair.run().mayComplain(ABORT);
    DmaRange out = pair.allocate(LENGTH, 0);
    DmaRange back = pair.allocate(LENGTH, 0);
    Pattern.fill(out, pair.run().seed());
    MemorySegment target = pair.memoryOfA().asSlice(0, LENGTH);
    target.fill((byte) 0);
    try (Import ofA = pair.importOfA(LENGTH)) {
      HbmChannel channel = c.driver().channel(0, ENTRIES).enable();
      channel.submit(copies(out.iova(), ofA.iova()));
      Wait.until(
          () -> target.get(ValueLayout.JAVA_LONG, LENGTH / 2) != 0,
          Initiator.LIMIT,
          "C to copy into A");
      server.kill();
      settle(pair.lab().qemu());
      long landed = Checksum.of(target);
      int id = c.driver().read(HbmRegisters.ID);
      unless(id == ALL_ONES, "C has ID 0x%x", id);
      pair.initiator().copy(out.iova(), back.iova(), LENGTH);
      unless(Checksum.of(target) == landed, "A's memory changed after C had gone");
      othersWork(pair);
      return "QEMU goes on, and so do A and B";
    } catch (IOException e) {
      return aborted(pair.lab().qemu(), e);
    }
  }

  /** Has QEMU's main loop go round, so that it has seen all that the socket had for it. */
  private static void settle(Qemu qemu) throws IOException {
    try (Qmp monitor = qemu.monitor()) {
      for (int i = 0; i < 2; i++) {
        monitor.execute("query-status");
      }
    }
  }

  private static String aborted(Qemu qemu, IOException seen) throws Exception {
    if (!qemu.awaitEnd(ThirdEndpoint.LIMIT)) {
      throw seen;
    }
    String end = qemu.end();
    unless(ABORT.test(end), "%s", end);
    return "QEMU aborts: error_setv: Assertion `*errp == NULL'";
  }
}
