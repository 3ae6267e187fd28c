package dev.peerbar.scenario.mutant;

import dev.peerbar.devices.hbm.CompletionRecord;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ResetKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/** The ways in which an endpoint is broken. */
final class Mutations {
  private static final Duration SOON = Duration.ofMillis(5);
  private static final Duration APART = Duration.ofMillis(50);
  private static final int CHANNEL_0_VECTOR = 1;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  /** The part of a completion record that is written before its status. */
  private static final long RECORD_BODY = CompletionRecord.BYTES - CompletionRecord.ERROR;

  private Mutations() {}

  /** Resets do something else. */
  @FunctionalInterface
  interface Reset {
    void of(MutableEndpoint endpoint, Endpoint sound, ResetKind kind);
  }

  static Mutation resets(Reset instead) {
    return new Mutation() {
      @Override
      public void reset(MutableEndpoint of, Endpoint sound, ResetKind kind) {
        if (kind == ResetKind.FUNCTION_LEVEL) {
          instead.of(of, sound, kind);
        } else {
          sound.reset(kind);
        }
      }
    };
  }

  static Mutation keepsScratch() {
    return resets((_, sound, kind) -> {
      long kept = sound.read(HbmRegisters.BAR, HbmRegisters.SCRATCH, AccessWidth.DWORD);
      sound.reset(kind);
      sound.write(HbmRegisters.BAR, HbmRegisters.SCRATCH, AccessWidth.DWORD, kept);
    });
  }

  static Mutation touchesMemory() {
    return resets((endpoint, sound, kind) -> {
      sound.reset(kind);
      MemorySegment memory = endpoint.host().memory(HbmRegisters.MEMORY_BAR);
      memory.set(ValueLayout.JAVA_BYTE, 0, (byte) ~memory.get(ValueLayout.JAVA_BYTE, 0));
    });
  }

  /** The ring of channel 0 is there after the reset, and the next doorbell has rung already. */
  static Mutation runsResetRing() {
    return resets((_, sound, kind) -> {
      long channel = HbmRegisters.channel(0);
      long base = sound.read(0, channel + HbmRegisters.RING_BASE, AccessWidth.QWORD);
      long size = sound.read(0, channel + HbmRegisters.RING_SIZE, AccessWidth.DWORD);
      sound.reset(kind);
      sound.write(0, channel + HbmRegisters.RING_BASE, AccessWidth.QWORD, base);
      sound.write(0, channel + HbmRegisters.RING_SIZE, AccessWidth.DWORD, size);
      sound.write(0, channel + HbmRegisters.CTRL, AccessWidth.DWORD, HbmRegisters.CTRL_ENABLE);
      sound.write(0, HbmRegisters.doorbell(0), AccessWidth.DWORD, 1);
    });
  }

  /** Something goes on after a reset, again and again until the endpoint is whole again. */
  static Mutation afterReset(Consumer<MutableEndpoint> goesOn) {
    return new Mutation() {
      @Override
      public void reset(MutableEndpoint of, Endpoint sound, ResetKind kind) {
        sound.reset(kind);
        of.timer().arm(SOON);
      }

      @Override
      public void later(MutableEndpoint of) {
        goesOn.accept(of);
        of.timer().arm(SOON);
      }
    };
  }

  static Mutation interruptsAfterReset() {
    return afterReset(of -> of.host().interrupts().raise(CHANNEL_0_VECTOR));
  }

  static Mutation writesAfterReset(Supplier<MemorySegment> memory) {
    return afterReset(_ -> {
      MemorySegment target = memory.get();
      target.set(ValueLayout.JAVA_BYTE, 0, (byte) (target.get(ValueLayout.JAVA_BYTE, 0) + 1));
    });
  }

  static Mutation doublesInterrupts() {
    return new Mutation() {
      private int last;

      @Override
      public boolean signal(MutableEndpoint of, Job sound, int vector) throws JobEndedException {
        sound.update(() -> {
          last = vector;
          of.timer().arm(APART);
        });
        return sound.signal(vector);
      }

      @Override
      public void later(MutableEndpoint of) {
        of.host().interrupts().raise(last);
      }
    };
  }

  static Mutation faultsElsewhere() {
    return new Mutation() {
      @Override
      public long read(Endpoint sound, int bar, long offset, AccessWidth width) {
        long value = sound.read(bar, offset, width);
        return offset == HbmRegisters.FAULT_ADDR ? value + Long.BYTES : value;
      }
    };
  }

  static Mutation answersHalves() {
    return new Mutation() {
      @Override
      public long read(Endpoint sound, int bar, long offset, AccessWidth width) {
        return width == AccessWidth.WORD
            ? sound.read(bar, offset & -Integer.BYTES, AccessWidth.DWORD) & 0xffff
            : sound.read(bar, offset, width);
      }
    };
  }

  private static Mutation masters(UnaryOperator<Dma> instead) {
    return new Mutation() {
      @Override
      public Dma dma(Dma sound) {
        return instead.apply(sound);
      }
    };
  }

  static Mutation movesNothing() {
    return masters(sound ->
        new MutatedDma(sound) {
          @Override
          public void copy(long fromIova, long toIova, long length) {}
        });
  }

  static Mutation writesBeyond() {
    return masters(sound ->
        new MutatedDma(sound) {
          @Override
          public void copy(long fromIova, long toIova, long length)
              throws DmaFaultException, JobEndedException {
            sound.copy(fromIova, toIova, length);
            try {
              sound.copy(fromIova, toIova + length, Long.BYTES);
            } catch (DmaFaultException _) {
              // There is nothing beyond.
            }
          }
        });
  }

  /** Each copy is made with the next one, which is when its driver has long been told of it. */
  static Mutation completesBeforeTheData() {
    record Copy(long from, long to, long length) {}
    Deque<Copy> owed = new ArrayDeque<>();
    return masters(sound ->
        new MutatedDma(sound) {
          @Override
          public void copy(long fromIova, long toIova, long length)
              throws DmaFaultException, JobEndedException {
            Copy before = owed.poll();
            owed.add(new Copy(fromIova, toIova, length));
            if (before != null) {
              sound.copy(before.from, before.to, before.length);
            }
          }
        });
  }

  static Mutation tellsWrongLength() {
    return records(CompletionRecord.MOVED, moved -> moved - 1);
  }

  static Mutation sumsWrongly() {
    return records(CompletionRecord.RESULT, sum -> sum == 0 ? 0 : sum ^ 1);
  }

  private static Mutation records(long field, LongUnaryOperator change) {
    return masters(sound ->
        new MutatedDma(sound) {
          @Override
          public void write(long iova, MemorySegment from)
              throws DmaFaultException, JobEndedException {
            if (from.byteSize() != RECORD_BODY) {
              sound.write(iova, from);
              return;
            }
            try (Arena arena = Arena.ofConfined()) {
              MemorySegment record = arena.allocate(RECORD_BODY).copyFrom(from);
              long at = field - CompletionRecord.ERROR;
              record.set(LONG, at, change.applyAsLong(record.get(LONG, at)));
              sound.write(iova, record);
            }
          }
        });
  }
}
