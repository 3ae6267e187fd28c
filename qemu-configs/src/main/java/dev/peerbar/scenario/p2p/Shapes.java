package dev.peerbar.scenario.p2p;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.GuestAgent.Polled;
import dev.peerbar.lab.guest.GuestAgent.Poller;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/** Transfers of every shape: small and scattered, large, several at once, in both directions. */
final class Shapes {
  private static final long MIB = 1L << 20;
  private static final int ENTRIES = 256;
  private static final int SCATTERED = 200;
  private static final int MOST_BYTES = 300;
  private static final long SLOT = 1024;
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

  private Shapes() {}

  static List<Scenario<?>> all() {
    return Stream.<Scenario<?>>concat(
            Stream.of(1, 2, HbmPair.CHANNELS).map(Shapes::channels),
            Stream.of(scattered(), bothWays(), wholeBar(), poke(), pollTarget()))
        .toList();
  }

  private static Case<HbmPair> on(
      String name, String does, String expects, Case.Body<HbmPair> body) {
    return Case.on(HbmPair.KIND, "p2p." + name, does, expects, body)
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  private static Case<HbmPair> channels(int count) {
    return on(
        count == 1 ? "channel-1" : "channels-" + count,
        "B copies into A and back through %d of its channels at once, 1 MiB each".formatted(count),
        "every byte right at both ends, and each channel interrupts for its own",
        pair -> channels(pair, count));
  }

  private static String channels(HbmPair pair, int count) throws Exception {
    DmaRange memory = pair.allocate(2 * count * MIB, 0);
    long seed = pair.run().seed();
    Pattern.fill(memory.slice(0, count * MIB), seed);
    try (Import peer = pair.importOfA(count * MIB)) {
      List<HbmChannel> channels = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        HbmChannel channel = pair.b().channel(i, ENTRIES).enable();
        long at = i * MIB;
        channel.prepare(
            Descriptor.copy(MIB).from(memory.iova() + at).to(peer.iova() + at),
            Descriptor.copy(MIB)
                .from(peer.iova() + at)
                .to(memory.iova() + (count + i) * MIB)
                .interrupt());
        channels.add(channel);
      }
      for (HbmChannel channel : channels) {
        channel.ring();
      }
      for (HbmChannel channel : channels) {
        unless(
            channel.awaitInterrupt(Initiator.LIMIT),
            "channel %d is %s",
            channel.index(),
            channel.state());
        for (int entry = 0; entry < 2; entry++) {
          unless(
              channel.completion(entry).moved() == MIB,
              "channel %d: %s",
              channel.index(),
              channel.completion(entry));
        }
      }
      long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(0, count * MIB), seed);
      unless(mismatch == count * MIB, "A's memory differs at 0x%x", mismatch);
      var wrong = Pattern.verify(memory.slice(count * MIB, count * MIB), seed);
      unless(wrong.isEmpty(), "what came back differs: %s", wrong);
      return "%d MiB there and back".formatted(count);
    }
  }

  private static Case<HbmPair> scattered() {
    return on(
        "scattered",
        SCATTERED + " copies of 1 to " + MOST_BYTES + " bytes, at odd addresses and across pages",
        "each where it belongs in A, and no byte between them",
        pair -> {
          long length = SCATTERED * SLOT;
          DmaRange memory = pair.allocate(length, length);
          long seed = pair.run().seed();
          Pattern.fill(memory, seed);
          MemorySegment a = pair.memoryOfA().asSlice(0, length);
          a.fill((byte) 0);
          MemorySegment expected = MemorySegment.ofArray(new byte[(int) length]);
          MemorySegment source = MemorySegment.ofArray(memory.read(0, (int) length));
          Random random = pair.run().random();
          try (Import peer = pair.importOfA(length)) {
            HbmChannel channel = pair.b().channel(1, ENTRIES).enable();
            for (int i = 0; i < SCATTERED; i++) {
              long bytes = 1 + random.nextInt(MOST_BYTES);
              // Every fourth page boundary is crossed by one.
              long to = i % 4 == 3 ? (i + 1) * SLOT - bytes / 2 : i * SLOT + random.nextInt(64);
              to = Math.min(to, length - bytes);
              long from = random.nextLong(length - bytes);
              channel.prepare(copy(memory.iova() + from, peer.iova() + to, bytes));
              MemorySegment.copy(source, from, expected, to, bytes);
            }
            channel.prepare(Descriptor.nop().interrupt());
            channel.ring();
            unless(channel.awaitInterrupt(Initiator.LIMIT), "the channel is %s", channel.state());
            long mismatch = a.mismatch(expected);
            unless(mismatch == -1, "A's memory differs at 0x%x", mismatch);
            return "%d copies, %d completed".formatted(SCATTERED, channel.completed());
          }
        });
  }

  private static Descriptor copy(long from, long to, long bytes) {
    return Descriptor.copy(bytes).from(from).to(to);
  }

  private static Case<HbmPair> bothWays() {
    return on(
        "both-ways",
        "A copies into B and B into A at the same time, 4 MiB each",
        "both end, and every byte is right in both memories",
        pair -> {
          long length = 4 * MIB;
          DmaRange memory = pair.allocate(2 * length, 0);
          long seed = pair.run().seed();
          Pattern.fill(memory.slice(0, length), seed);
          Pattern.fill(memory.slice(length, length), seed + 1);
          try (Import ofA = pair.importOfA(length);
              Import ofB =
                  Import.of(
                      pair.ioas(), pair.deviceB().vfio(), HbmRegisters.MEMORY_BAR, 0, length)) {
            HbmChannel b = enabled(pair.b());
            HbmChannel a = enabled(pair.a());
            b.prepare(copy(memory.iova(), ofA.iova(), length).interrupt());
            a.prepare(copy(memory.iova() + length, ofB.iova(), length).interrupt());
            b.ring();
            a.ring();
            unless(b.awaitInterrupt(Initiator.LIMIT), "B is %s", b.state());
            unless(a.awaitInterrupt(Initiator.LIMIT), "A is %s", a.state());
            long inA = Pattern.mismatch(pair.memoryOfA().asSlice(0, length), seed);
            long inB = Pattern.mismatch(pair.memoryOfB().asSlice(0, length), seed + 1);
            unless(inA == length && inB == length, "A differs at 0x%x, B at 0x%x", inA, inB);
            return "4 MiB each way";
          }
        });
  }

  private static HbmChannel enabled(HbmDriver driver) throws IOException {
    return driver.channel(1, ENTRIES).enable();
  }

  private static Case<HbmPair> wholeBar() {
    return on(
        "whole-bar",
        "B fills all of A's memory BAR, by one import and one descriptor",
        "every word of A is the pattern's, the first and the last too",
        pair -> {
          long seed = pair.run().seed();
          pair.memoryOfA().fill((byte) 0);
          try (Import peer = pair.importOfA(HbmPair.BAR_SIZE)) {
            long moved =
                pair.initiator()
                    .run(Descriptor.fill(seed, HbmPair.BAR_SIZE).to(peer.iova()))
                    .moved();
            unless(moved == HbmPair.BAR_SIZE, "0x%x bytes moved", moved);
            MemorySegment a = pair.memoryOfA();
            unless(a.get(WORD, 0) == seed, "the first word is 0x%x", a.get(WORD, 0));
            // Each word is the one before it.
            long same =
                MemorySegment.mismatch(
                    a, 0, a.byteSize() - Long.BYTES, a, Long.BYTES, a.byteSize());
            unless(same == -1, "A's memory differs at 0x%x", same + Long.BYTES);
            return "%d MiB".formatted(moved >> 20);
          }
        });
  }

  private static Case<HbmPair> poke() {
    return on(
        "poke",
        "B stores 4 and 8 bytes into A's memory, at aligned addresses all over it",
        "each value where it belongs, and zeros around it",
        pair -> {
          long length = MIB;
          MemorySegment a = pair.memoryOfA().asSlice(0, length);
          a.fill((byte) 0);
          MemorySegment expected = MemorySegment.ofArray(new byte[(int) length]);
          Random random = pair.run().random();
          int stores = 64;
          try (Import peer = pair.importOfA(length)) {
            HbmChannel channel = enabled(pair.b());
            for (int i = 0; i < stores; i++) {
              boolean wide = random.nextBoolean();
              long value = random.nextLong();
              long at = i * (length / stores) + Long.BYTES * random.nextInt(64);
              channel.prepare(
                  Descriptor.immediate(value, wide ? Long.BYTES : Integer.BYTES)
                      .to(peer.iova() + at));
              if (wide) {
                expected.set(WORD, at, value);
              } else {
                expected.set(ValueLayout.JAVA_INT_UNALIGNED, at, (int) value);
              }
            }
            channel.prepare(Descriptor.nop().interrupt());
            channel.ring();
            unless(channel.awaitInterrupt(Initiator.LIMIT), "the channel is %s", channel.state());
            long mismatch = a.mismatch(expected);
            unless(mismatch == -1, "A's memory differs at 0x%x", mismatch);
            return stores + " stores";
          }
        });
  }

  private static Case<HbmPair> pollTarget() {
    return on(
        "poll-target",
        "the guest polls the last word of what B copies into A, in A's BAR",
        "it sees the word that B wrote, and every byte is right",
        pair -> {
          long length = 4 * MIB;
          DmaRange memory = pair.allocate(length, 0);
          long seed = pair.run().seed();
          Pattern.fill(memory, seed);
          pair.memoryOfA().asSlice(0, length).fill((byte) 0);
          var bar = pair.deviceA().bar(HbmRegisters.MEMORY_BAR);
          long last = length - Long.BYTES;
          try (Import peer = pair.importOfA(length);
              Poller poller = bar.poll(last, AccessWidth.QWORD)) {
            pair.initiator().copy(memory.iova(), peer.iova(), length);
            Polled polled = poller.stop();
            long expected = pair.memoryOfA().get(WORD, last);
            unless(
                polled.signal() == 0 && polled.last() == expected && expected != 0,
                "the poller: %s, the word is 0x%x",
                polled,
                expected);
            long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(0, length), seed);
            unless(mismatch == length, "A's memory differs at 0x%x", mismatch);
            return "%d reads, the last saw 0x%x".formatted(polled.loads(), polled.last());
          }
        });
  }
}
