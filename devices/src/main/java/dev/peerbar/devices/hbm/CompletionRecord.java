package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The completion record: its layout, and the writing of it, which is for one engine's thread. */
public final class CompletionRecord {
  public static final int BYTES = 32;

  public static final long STATUS = 0;
  public static final long ERROR = 4;
  public static final long MOVED = 8;
  public static final long RESULT = 16;
  public static final long TAG = 24;

  public static final int DONE = 1;
  public static final int FAILED = 2;

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment record;
  private final MemorySegment status;
  private final MemorySegment rest;

  CompletionRecord(Arena arena) {
    record = arena.allocate(BYTES, Long.BYTES);
    status = record.asSlice(STATUS, ERROR);
    rest = record.asSlice(ERROR);
  }

  /** Writes the record; its status last, so that whoever polls it finds the rest in place. */
  void write(Dma dma, long iova, Outcome outcome, long tag)
      throws DmaFaultException, JobEndedException {
    switch (outcome) {
      case Outcome.Done done -> put(DONE, ErrorCode.NONE, done.moved(), done.result(), tag);
      case Outcome.Failed failed -> put(FAILED, failed.error(), failed.moved(), 0, tag);
    }
    dma.write(iova + ERROR, rest);
    dma.write(iova + STATUS, status);
  }

  private void put(int statusCode, ErrorCode error, long moved, long result, long tag) {
    record.set(INT, STATUS, statusCode);
    record.set(INT, ERROR, error.code());
    record.set(LONG, MOVED, moved);
    record.set(LONG, RESULT, result);
    record.set(LONG, TAG, tag);
  }
}
