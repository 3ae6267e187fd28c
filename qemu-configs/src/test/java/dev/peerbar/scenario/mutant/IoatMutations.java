package dev.peerbar.scenario.mutant;

import dev.peerbar.devices.ioat.IoatRegisters;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.pci.AccessWidth;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;

/** The ways in which channel 0 of an I/OAT endpoint is broken, but for those of any engine. */
final class IoatMutations {
  private static final Duration SOON = Duration.ofMillis(5);
  private static final int CHANNEL = 0;

  private IoatMutations() {}

  /** A register is written as if a driver had meant something else. */
  private static Mutation takes(long register, LongUnaryOperator instead) {
    return new Mutation() {
      @Override
      public void write(
          MutableEndpoint of, Endpoint sound, int bar, long offset, AccessWidth width, long value) {
        boolean meant = bar == IoatRegisters.BAR && offset == at(register);
        sound.write(bar, offset, width, meant ? instead.applyAsLong(value) : value);
      }
    };
  }

  private static long at(long register) {
    return IoatRegisters.channel(CHANNEL) + register;
  }

  static Mutation interruptsOnErrors() {
    return takes(IoatRegisters.CHANCTRL, value -> value | IoatRegisters.CHANCTRL_ERROR_INTERRUPT);
  }

  static Mutation runsOneMore() {
    return takes(IoatRegisters.DMACOUNT, value -> value + 1 & 0xffff);
  }

  static Mutation ignoresChannelReset() {
    return takes(
        IoatRegisters.CHANCMD,
        value -> value == IoatRegisters.CHANCMD_RESET ? IoatRegisters.CHANCMD_START : value);
  }

  /** Something goes on after a reset of the channel, until the endpoint is whole again. */
  private static Mutation afterChannelReset(Consumer<MutableEndpoint> goesOn) {
    return new Mutation() {
      @Override
      public void write(
          MutableEndpoint of, Endpoint sound, int bar, long offset, AccessWidth width, long value) {
        sound.write(bar, offset, width, value);
        if (bar == IoatRegisters.BAR
            && offset == at(IoatRegisters.CHANCMD)
            && value == IoatRegisters.CHANCMD_RESET) {
          of.timer().arm(SOON);
        }
      }

      @Override
      public void later(MutableEndpoint of) {
        goesOn.accept(of);
        of.timer().arm(SOON);
      }
    };
  }

  static Mutation interruptsAfterChannelReset() {
    return afterChannelReset(of -> of.host().interrupts().raise(CHANNEL));
  }

  static Mutation writesAfterChannelReset(Supplier<MemorySegment> memory) {
    return afterChannelReset(_ -> {
      MemorySegment target = memory.get();
      target.set(ValueLayout.JAVA_BYTE, 0, (byte) (target.get(ValueLayout.JAVA_BYTE, 0) + 1));
    });
  }
}
