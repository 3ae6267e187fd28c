package dev.peerbar.scenario.ioat;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.ioat.ChannelError;
import dev.peerbar.devices.ioat.ChannelState;
import dev.peerbar.devices.ioat.IoatDescriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.ioat.IoatChannel;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.ioat.IoatHbm;
import dev.peerbar.scenario.fixture.ioat.IoatInitiator;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;

/** What an I/OAT endpoint makes of descriptors, good and bad ones. */
final class Descriptors {
  /** Where an IOAS maps nothing by itself. */
  private static final long NOWHERE = 1L << 37;

  private static final long LENGTH = 4L << 20;
  private static final int SMALL = 4096;

  private static final int STORM = IoatInitiator.MOST_VALID;

  private static final int COPIES = 64;
  private static final int CHAINS = 32;
  private static final int CHAIN = 32;

  private Descriptors() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            IoatHbm.KIND,
            "ioat.copy",
            "copy %d MiB of guest memory in a chain".formatted(LENGTH >> 20),
            "the bytes are the same, and the completion has the last descriptor",
            Descriptors::copy),
        Case.on(
            IoatHbm.KIND,
            "ioat.lengths",
            "%d copies of 1 to %d bytes, from any byte to any".formatted(COPIES, SMALL),
            "those bytes are the same, and no other has changed",
            Descriptors::lengths),
        Case.on(
            IoatHbm.KIND,
            "ioat.storm",
            "ring once for %d descriptors, all of them one that links to itself".formatted(STORM),
            "all are carried out",
            Descriptors::storm),
        Case.on(
            IoatHbm.KIND,
            "ioat.unmapped",
            "copy from and to IOVAs that are not mapped, by a descriptor that is not",
            "the channel halts with the error for each, without an interrupt; reset, it works",
            Descriptors::unmapped),
        Case.on(
            IoatHbm.KIND,
            "ioat.garbage",
            "run %d chains of %d random descriptors".formatted(CHAINS, CHAIN),
            "each is done or halts with an error, nothing is written elsewhere; reset, it works",
            Descriptors::garbage));
  }

  private static void checkWorks(IoatHbm pair, DmaRange from, DmaRange to) throws Exception {
    to.clear();
    pair.initiator().copy(from.iova(), to.iova(), to.length());
    var seen = Pattern.verify(to, pair.run().seed());
    unless(seen.isEmpty(), "other bytes: %s", seen);
  }

  private static String copy(IoatHbm pair) throws Exception {
    DmaRange from = pair.allocate(LENGTH, LENGTH);
    DmaRange to = pair.allocate(LENGTH, LENGTH);
    Pattern.fill(from, pair.run().seed());
    long start = System.nanoTime();
    checkWorks(pair, from, to);
    pair.run().record("copy", Duration.ofNanos(System.nanoTime() - start));
    return "%d MiB, %s".formatted(LENGTH >> 20, pair.initiator().told());
  }

  private static String lengths(IoatHbm pair) throws Exception {
    DmaRange from = pair.allocate(2 * SMALL, 0);
    DmaRange to = pair.allocate(2 * SMALL, 0);
    Pattern.fill(from, pair.run().seed());
    byte[] source = from.read(0, 2 * SMALL);
    Random random = pair.run().random();
    for (int copy = 0; copy < COPIES; copy++) {
      int length = 1 + random.nextInt(SMALL);
      int at = random.nextInt(SMALL);
      int into = random.nextInt(SMALL);
      to.clear();
      pair.initiator().copy(from.iova() + at, to.iova() + into, length);
      byte[] expected = new byte[2 * SMALL];
      System.arraycopy(source, at, expected, into, length);
      int differs = Arrays.mismatch(to.read(0, 2 * SMALL), expected);
      unless(differs < 0, "byte %d differs after a copy of %d bytes to %d", differs, length, into);
    }
    return "%d copies".formatted(COPIES);
  }

  private static String storm(IoatHbm pair) throws Exception {
    DmaRange from = pair.allocate(SMALL, 0);
    DmaRange to = pair.allocate(SMALL, 0);
    Pattern.fill(from, pair.run().seed());
    IoatChannel channel = pair.initiator().channel();
    channel.memory().storeLong(IoatDescriptor.NEXT, channel.iova(0));
    channel.copy(from.iova(), to.iova(), SMALL);
    long start = System.nanoTime();
    channel.issue(STORM);
    ChannelState state = channel.awaitRest(IoatInitiator.LIMIT);
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    unless(state == ChannelState.DONE, "the channel is %s", pair.initiator().told());
    var seen = Pattern.verify(to, pair.run().seed());
    unless(seen.isEmpty(), "other bytes: %s", seen);
    pair.run().record("storm", took);
    // It counts from the beginning of the chain: one more is one more.
    channel.memory().storeInt(IoatDescriptor.SIZE, 0);
    channel.issue(1);
    unless(
        channel.awaitRest(IoatInitiator.LIMIT) == ChannelState.HALTED
            && channel.errors() == ChannelError.LENGTH.mask(),
        "one more, of no byte: %s",
        pair.initiator().told());
    return "%d in %d ms".formatted(STORM, took.toMillis());
  }

  private static String unmapped(IoatHbm pair) throws Exception {
    DmaRange from = pair.allocate(SMALL, 0);
    DmaRange to = pair.allocate(SMALL, 0);
    Pattern.fill(from, pair.run().seed());
    IoatInitiator b = pair.initiator();
    b.expectHalt(NOWHERE, to.iova(), SMALL, ChannelError.READ_DATA);
    checkWorks(pair, from, to);
    b.expectHalt(from.iova(), NOWHERE, SMALL, ChannelError.WRITE_DATA);
    checkWorks(pair, from, to);
    b.restart();
    b.channel().beginAt(NOWHERE);
    b.channel().issue(1);
    unless(
        b.channel().awaitRest(IoatInitiator.LIMIT) == ChannelState.HALTED
            && b.channel().errors() == ChannelError.NEXT_ADDRESS.mask(),
        "a descriptor at 0x%x: %s",
        NOWHERE,
        b.told());
    unless(b.channel().vector().drain() == 0, "it has interrupted");
    checkWorks(pair, from, to);
    return "READ_DATA, WRITE_DATA, NEXT_ADDRESS";
  }

  private static String garbage(IoatHbm pair) throws Exception {
    DmaRange from = pair.allocate(SMALL, 0);
    DmaRange to = pair.allocate(SMALL, 0);
    Pattern.fill(from, pair.run().seed());
    Random random = pair.run().random();
    IoatInitiator b = pair.initiator();
    IoatChannel channel = b.channel();
    long ends = channel.memory().iova() + (long) CHAIN * IoatDescriptor.BYTES;
    Set<String> met = new TreeSet<>();
    for (int chain = 0; chain < CHAINS; chain++) {
      b.restart();
      byte[] bytes = new byte[CHAIN * IoatDescriptor.BYTES];
      random.nextBytes(bytes);
      channel.memory().write(0, bytes);
      for (int entry = 0; entry < CHAIN; entry++) {
        // Fields that make sense are met with others that do not.
        long at = (long) entry * IoatDescriptor.BYTES;
        if (random.nextInt(3) > 0) {
          channel.memory().storeInt(at + IoatDescriptor.SIZE, random.nextInt(2 * SMALL));
          channel.memory().storeInt(at + IoatDescriptor.CONTROL, random.nextInt(64));
        }
        if (random.nextInt(3) > 0) {
          channel.memory().storeLong(at + IoatDescriptor.SOURCE, from.iova());
        }
        // Nothing but this page may be written.
        channel
            .memory()
            .storeLong(
                at + IoatDescriptor.DESTINATION,
                random.nextInt(8) > 0 ? to.iova() : NOWHERE + random.nextInt(SMALL));
        if (random.nextInt(8) > 0) {
          channel
              .memory()
              .storeLong(
                  at + IoatDescriptor.NEXT,
                  channel.memory().iova() + random.nextInt(CHAIN) * (long) IoatDescriptor.BYTES);
        }
      }
      channel.issue(1 + random.nextInt(STORM));
      ChannelState state = channel.awaitRest(IoatInitiator.LIMIT);
      int errors = channel.errors();
      unless(
          state == ChannelState.DONE && errors == 0
              || state == ChannelState.HALTED && Integer.bitCount(errors) == 1,
          "chain %d: %s",
          chain,
          b.told());
      unless(
          channel.lastDone() == 0
              || channel.lastDone() >= channel.memory().iova() && channel.lastDone() < ends,
          "chain %d: %s",
          chain,
          b.told());
      met.add(errors == 0 ? state.name() : "0x%x".formatted(errors));
    }
    var kept = Pattern.verify(from, pair.run().seed());
    unless(kept.isEmpty(), "the source changed: %s", kept);
    checkWorks(pair, from, to);
    return String.join(", ", met);
  }
}
