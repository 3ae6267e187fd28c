package dev.peerbar.devices.ioat;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A descriptor: where its fields are, and what its control word asks for (ioat_dma_descriptor and
 * ioat_fill_descriptor in Linux, drivers/dma/ioat/hw.h). For the endpoint and for those who drive
 * one.
 */
public final class IoatDescriptor {
  public static final int BYTES = 64;

  /** Of the transfer, in bytes: 32 bits. */
  public static final int SIZE = 0;

  /** 32 bits, of which the upper 8 are the operation. */
  public static final int CONTROL = 4;

  /** IOVA of what is copied; of a fill, the 8 bytes that are repeated. */
  public static final int SOURCE = 8;

  public static final int DESTINATION = 16;

  /** IOVA of the next descriptor. */
  public static final int NEXT = 24;

  public static final int INTERRUPT = 1;

  /** CHANSTS is written to CHANCMP when the descriptor is done. */
  public static final int COMPLETION = 1 << 3;

  /** What was before is written before this begins, as it always is here. */
  public static final int FENCE = 1 << 4;

  /** Nothing is transferred. */
  public static final int NULL = 1 << 5;

  public static final int OPERATION_SHIFT = 24;
  public static final int COPY = 0x00;
  public static final int FILL = 0x01;

  static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private IoatDescriptor() {}
}
