package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.CompletionWriter;
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

  private final CompletionWriter writer = new CompletionWriter(BYTES, STATUS, Integer.BYTES);

  CompletionRecord() {}

  /**
   * Writes the record; its status last, so that whoever polls it finds the rest in place.
   *
   * @param error {@link ErrorCode#NONE} for a descriptor that is done
   */
  void write(Dma dma, long iova, ErrorCode error, long moved, long result, long tag)
      throws DmaFaultException, JobEndedException {
    MemorySegment record = writer.entry();
    record.set(INT, STATUS, error == ErrorCode.NONE ? DONE : FAILED);
    record.set(INT, ERROR, error.code());
    record.set(LONG, MOVED, moved);
    record.set(LONG, RESULT, result);
    record.set(LONG, TAG, tag);
    writer.write(dma, iova);
  }
}
