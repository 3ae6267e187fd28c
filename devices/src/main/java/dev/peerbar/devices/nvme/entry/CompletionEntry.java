package dev.peerbar.devices.nvme.entry;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A completion queue entry (NVMe 1.4 4.6).
 *
 * @param dword0 command specific
 * @param sqHead the submission queue's head when the entry was made, 16 bits
 * @param sqId of the submission queue, 16 bits
 * @param commandId of the command, 16 bits
 * @param phase tag: 1 in the first pass through the queue, then 0, and so on
 */
public record CompletionEntry(
    int dword0, int sqHead, int sqId, int commandId, boolean phase, Status status) {

  public static final int BYTES = 16;

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Bytes 0 to 7: dword 0; dword 1 is reserved. */
  private static final int FIRST = 0;

  /** Bytes 8 to 15: SQ head, SQ identifier, command identifier, phase tag and status. */
  public static final int SECOND = 8;

  private static final int SQ_ID_SHIFT = 16;
  private static final int COMMAND_ID_SHIFT = 32;
  private static final int PHASE_SHIFT = 48;
  private static final int STATUS_SHIFT = 49;
  private static final int WORD = 0xffff;

  /** The 8 bytes at {@link #SECOND}, to be written last: the phase tag is in them. */
  private static long second(int sqHead, int sqId, int commandId, boolean phase, Status status) {
    return sqHead & WORD
        | (long) (sqId & WORD) << SQ_ID_SHIFT
        | (long) (commandId & WORD) << COMMAND_ID_SHIFT
        | (phase ? 1L << PHASE_SHIFT : 0)
        | (long) status.field() << STATUS_SHIFT;
  }

  /** The phase tag of the 8 bytes at {@link #SECOND}. */
  public static boolean phase(long second) {
    return (second >>> PHASE_SHIFT & 1) != 0;
  }

  /**
   * The entry at an offset.
   *
   * @throws IllegalArgumentException if its status is none of the endpoint's
   */
  public static CompletionEntry decode(MemorySegment queue, long offset) {
    long first = queue.get(LONG, offset + FIRST);
    long second = queue.get(LONG, offset + SECOND);
    int field = (int) (second >>> STATUS_SHIFT);
    Status status =
        Status.ofField(field)
            .orElseThrow(
                () -> new IllegalArgumentException("No such status: 0x%04x".formatted(field)));
    return new CompletionEntry(
        (int) first,
        (int) second & WORD,
        (int) (second >>> SQ_ID_SHIFT) & WORD,
        (int) (second >>> COMMAND_ID_SHIFT) & WORD,
        phase(second),
        status);
  }

  /** Writes the entry at an offset, plainly: who shares the queue orders the halves itself. */
  public void encode(MemorySegment queue, long offset) {
    encode(queue, offset, dword0, sqHead, sqId, commandId, phase, status);
  }

  /** As {@link #encode(MemorySegment, long)}, without an object. */
  public static void encode(
      MemorySegment queue,
      long offset,
      int dword0,
      int sqHead,
      int sqId,
      int commandId,
      boolean phase,
      Status status) {
    queue.set(LONG, offset + FIRST, Integer.toUnsignedLong(dword0));
    queue.set(LONG, offset + SECOND, second(sqHead, sqId, commandId, phase, status));
  }
}
