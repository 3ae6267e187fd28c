package dev.peerbar.bench.socket;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Benchmark;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.Work;
import dev.peerbar.bench.rig.Floor;
import dev.peerbar.bench.rig.Messages;
import dev.peerbar.bench.rig.Messenger;
import dev.peerbar.bench.rig.Placement;
import dev.peerbar.bench.rig.ServedEndpoint;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * Writes that nobody waits for (No_reply), each sent by itself, as QEMU posts them. Beside it, the
 * rate at which a bare socket takes messages of the same sizes to and fro.
 */
public final class PostedWriteBenchmark implements Benchmark {
  private static final Aim RATE = Aim.atLeast(3);

  /** The last of so many is waited for: no more than these are ever in the socket. */
  private static final int WINDOW = 64;

  private static final int WRITES = 16;

  /** A write, posted and waited for. */
  private record Write(String path, MemorySegment posted, MemorySegment awaited, int reply) {
    static Write of(String path, Command command, Payload payload, Payload reply) {
      return new Write(
          path,
          Messages.request(1, command, true, payload),
          Messages.request(1, command, false, payload),
          Header.SIZE + reply.encodedSize());
    }

    Work oneByOne(Messenger messenger) {
      return () -> {
        messenger.exchange(awaited, reply);
        return 1;
      };
    }

    Work posted(Messenger messenger) {
      return () -> {
        for (int i = 1; i < WINDOW; i++) {
          messenger.send(posted);
        }
        messenger.exchange(awaited, reply);
        return WINDOW;
      };
    }
  }

  @Override
  public String name() {
    return "posted";
  }

  @Override
  public String about() {
    return "posted register writes, single and by REGION_WRITE_MULTI";
  }

  @Override
  public void run(Bench bench) throws Exception {
    for (Placement placement : Placement.values()) {
      if (placement.possible()) {
        measure(bench, placement);
      }
    }
  }

  private static void measure(Bench bench, Placement placement) throws Exception {
    RegionWrite.Request single =
        new RegionWrite.Request(
            HbmRegisters.SCRATCH,
            HbmRegisters.BAR,
            Unpooled.wrappedBuffer(new byte[Integer.BYTES]));
    RegionWriteMulti.Request multi =
        new RegionWriteMulti.Request(
            Collections.nCopies(
                WRITES,
                new RegionWriteMulti.Write(
                    HbmRegisters.SCRATCH, HbmRegisters.BAR, Integer.BYTES, 1)));
    try (ServedEndpoint endpoint =
            placement.server(
                () -> ServedEndpoint.start("posted", new HbmEndpoint(HbmConfig.DEFAULT)));
        Messenger client = endpoint.connectBare(0)) {
      for (Write write :
          List.of(
              Write.of("posted 4-byte writes", Command.REGION_WRITE, single, single.reply()),
              Write.of(
                  "posted WRITE_MULTI of " + WRITES,
                  Command.REGION_WRITE_MULTI,
                  multi,
                  new RegionWriteMulti.Reply(WRITES)))) {
        measure(bench, placement, write, client);
      }
    }
  }

  private static void measure(Bench bench, Placement placement, Write write, Messenger client)
      throws Exception {
    int length = (int) write.awaited.byteSize();
    try (Floor floor = placement.server(() -> Floor.start(length, write.reply))) {
      List<Measured> sides =
          placement.client(() ->
              bench.compare(
                  new Side("bare socket, to and fro", write.oneByOne(floor.messenger())),
                  new Side("peerbar, posted", write.posted(client))));
      bench.add(
          Figure.rate(
              write.path + ", " + placement,
              "msg/s",
              1,
              sides.get(0),
              sides.get(1),
              Optional.of(RATE)));
    }
  }
}
