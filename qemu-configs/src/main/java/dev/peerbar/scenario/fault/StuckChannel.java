package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.server.fault.Fault;
import java.util.List;
import java.util.Optional;

/** A channel of B that sticks at a descriptor, while its other channels and A work on. */
final class StuckChannel {
  private static final int ENTRIES = 32;
  private static final int STUCK = 2;
  private static final long LENGTH = 64L << 10;

  private StuckChannel() {}

  /** What ends it. */
  @FunctionalInterface
  private interface End {
    void come(HbmPair pair, HbmChannel channel, Misbehaving fault) throws Exception;
  }

  static List<Scenario<?>> all() {
    return List.of(
        stuck(
            "fault.stuck-channel",
            "have a channel of B stick at a copy, then let it go",
            "it runs and moves nothing, all others work; let go, it ends well",
            StuckChannel::letGo),
        stuck(
            "fault.stuck-abort",
            "abort a channel of B that sticks at a copy",
            "it stops, nothing was moved, no interrupt comes; enabled again it works",
            StuckChannel::abort),
        stuck(
            "fault.stuck-reset",
            "reset B while one of its channels sticks at a copy",
            "the reset succeeds, nothing was moved, B works again",
            StuckChannel::reset));
  }

  private static Scenario<?> stuck(String name, String does, String expects, End end) {
    return Case.on(HbmPair.KIND, name, does, expects, pair -> run(pair, end));
  }

  private static String run(HbmPair pair, End end) throws Exception {
    SoundPair sound = new SoundPair(pair);
    DmaRange target = pair.allocate(LENGTH, 0);
    target.clear();
    HbmChannel channel = pair.b().channel(STUCK, ENTRIES).enable();
    Descriptor copy = Initiator.copying(sound.memory().iova(), target.iova(), LENGTH);
    try (Misbehaving fault =
        Misbehaving.by(pair.serverB(), new Fault.Stuck(Optional.of("channel-" + STUCK)))) {
      int entry = channel.submit(copy);
      sound.checkA();
      sound.checkB();
      ChannelState state = channel.state();
      Completion completion = channel.completion(entry);
      unless(
          state == ChannelState.RUNNING && completion.status() == 0 && !channel.interrupted(),
          "the channel is %s, %s",
          state,
          completion);
      checkMoved(target, 0);
      end.come(pair, channel, fault);
    }
    checkMoved(target, channel.head() == 0 ? 0 : sound.memory().loadLong(0));
    target.clear();
    channel.disable();
    channel.setUp();
    channel.run(copy);
    unless(target.loadLong(0) == sound.memory().loadLong(0), "nothing was copied");
    sound.checkB();
    return "channel %d".formatted(STUCK);
  }

  private static void checkMoved(DmaRange target, long first) throws Exception {
    long seen = target.loadLong(0);
    unless(seen == first, "0x%x where the stuck copy goes", seen);
  }

  private static void letGo(HbmPair pair, HbmChannel channel, Misbehaving fault) throws Exception {
    fault.close();
    unless(channel.awaitInterrupt(Initiator.LIMIT), "no interrupt; it is %s", channel.state());
    unless(channel.completion(0).done(), "%s", channel.completion(0));
  }

  private static void abort(HbmPair pair, HbmChannel channel, Misbehaving fault) throws Exception {
    channel.abort();
    ChannelState state = channel.state();
    unless(state == ChannelState.ABORTED, "the channel is %s", state);
    unless(!channel.interrupted(), "the abort interrupts");
  }

  private static void reset(HbmPair pair, HbmChannel channel, Misbehaving fault) throws Exception {
    pair.deviceB().reset();
    ChannelState state = channel.state();
    unless(state == ChannelState.IDLE, "the channel is %s", state);
  }
}
