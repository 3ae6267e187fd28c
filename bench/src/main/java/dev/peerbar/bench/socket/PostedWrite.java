package dev.peerbar.bench.socket;

import dev.peerbar.bench.fixture.Messenger;
import dev.peerbar.bench.fixture.RoundTrip;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import io.netty.buffer.Unpooled;
import java.util.Collections;

/** A message that writes registers, and may say that nobody waits for it (No_reply). */
public enum PostedWrite {
  SINGLE("posted 4-byte writes"),
  MULTI_16("posted WRITE_MULTI of 16");

  /** The last of so many is waited for: no more than these are ever in the socket. */
  static final int WINDOW = 64;

  private static final int WRITES = 16;

  private final String label;

  PostedWrite(String label) {
    this.label = label;
  }

  private Command command() {
    return this == SINGLE ? Command.REGION_WRITE : Command.REGION_WRITE_MULTI;
  }

  private Payload payload() {
    return switch (this) {
      case SINGLE -> single();
      case MULTI_16 ->
          new RegionWriteMulti.Request(
              Collections.nCopies(
                  WRITES,
                  new RegionWriteMulti.Write(
                      HbmRegisters.SCRATCH, HbmRegisters.BAR, Integer.BYTES, 1)));
    };
  }

  private static RegionWrite.Request single() {
    return new RegionWrite.Request(
        HbmRegisters.SCRATCH, HbmRegisters.BAR, Unpooled.wrappedBuffer(new byte[Integer.BYTES]));
  }

  private Payload reply() {
    return this == SINGLE ? single().reply() : new RegionWriteMulti.Reply(WRITES);
  }

  /** The same message, waited for. */
  RoundTrip roundTrip() {
    return RoundTrip.of(command(), payload(), reply().encodedSize(), 1);
  }

  /** A window full of messages, each sent by itself. */
  Workload posted(Messenger messenger) {
    RoundTrip message = roundTrip();
    return () -> {
      for (int i = 1; i < WINDOW; i++) {
        messenger.send(message.posted());
      }
      messenger.exchange(message.request(), message.reply());
      return WINDOW;
    };
  }

  @Override
  public String toString() {
    return label;
  }
}
