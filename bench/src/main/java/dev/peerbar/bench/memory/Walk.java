package dev.peerbar.bench.memory;

import dev.peerbar.bench.harness.Workload;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/**
 * Ways through memory, the same for any memory of the same size. Offsets come from the memory
 * itself or from a generator, so that neither the compiler nor the processor foresees them.
 */
final class Walk {
  /** A processor's cache line, in bytes. */
  private static final int LINE = 64;

  /** So many a run that reading the clock before and after counts for nothing. */
  static final int STEPS = 8192;

  private static final long SEED = 42;

  // Knuth's MMIX.
  private static final long MULTIPLIER = 6364136223846793005L;
  private static final long INCREMENT = 1442695040888963407L;

  private Walk() {}

  /**
   * Loads of 8 bytes, each from where the one before says: one round through all cache lines, in an
   * order without pattern.
   */
  static Workload loads(MemorySegment memory) {
    layRound(memory);
    return new Workload() {
      // A field: what was loaded matters.
      private long at;

      @Override
      public long run() {
        long offset = at;
        for (int i = 0; i < STEPS; i++) {
          offset = memory.get(ValueLayout.JAVA_LONG, offset);
        }
        at = offset;
        return STEPS;
      }
    };
  }

  /** Sattolo's shuffle: one cycle that has all lines. */
  private static void layRound(MemorySegment memory) {
    int lines = Math.toIntExact(memory.byteSize() / LINE);
    int[] order = new int[lines];
    for (int i = 0; i < lines; i++) {
      order[i] = i;
    }
    Random random = new Random(SEED);
    for (int i = lines - 1; i > 0; i--) {
      int other = random.nextInt(i);
      int line = order[i];
      order[i] = order[other];
      order[other] = line;
    }
    for (int i = 0; i < lines; i++) {
      memory.set(ValueLayout.JAVA_LONG, (long) i * LINE, (long) order[i] * LINE);
    }
  }

  /** Stores of 8 bytes, anywhere. */
  static Workload stores(MemorySegment memory) {
    long last = memory.byteSize() / Long.BYTES - 1;
    return new Workload() {
      private long state = SEED;

      @Override
      public long run() {
        long next = state;
        for (int i = 0; i < STEPS; i++) {
          next = next * MULTIPLIER + INCREMENT;
          // The low bits of such a generator repeat early.
          memory.set(ValueLayout.JAVA_LONG, (next >>> Integer.SIZE & last) * Long.BYTES, next);
        }
        state = next;
        return STEPS;
      }
    };
  }

  /** Copies into a buffer, from one piece of the memory after the other. */
  static Workload copiesFrom(MemorySegment memory, MemorySegment buffer) {
    return copies(memory, buffer, true);
  }

  /** Copies from a buffer, into one piece of the memory after the other. */
  static Workload copiesTo(MemorySegment memory, MemorySegment buffer) {
    return copies(memory, buffer, false);
  }

  private static Workload copies(MemorySegment memory, MemorySegment buffer, boolean from) {
    long length = buffer.byteSize();
    return new Workload() {
      private long at;

      @Override
      public long run() {
        if (from) {
          MemorySegment.copy(memory, at, buffer, 0, length);
        } else {
          MemorySegment.copy(buffer, 0, memory, at, length);
        }
        at = (at + length) % memory.byteSize();
        return length;
      }
    };
  }
}
