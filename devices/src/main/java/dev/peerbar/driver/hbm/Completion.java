package dev.peerbar.driver.hbm;

import dev.peerbar.devices.hbm.CompletionRecord;
import dev.peerbar.driver.Memory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What the endpoint wrote when a descriptor was over.
 *
 * @param status {@link CompletionRecord#DONE}, {@link CompletionRecord#FAILED}, or 0 before
 * @param error the code of an {@link dev.peerbar.devices.hbm.ErrorCode}
 * @param moved bytes
 * @param result of the opcode, if it has one
 */
public record Completion(int status, int error, long moved, long result, long tag) {

  /** The record at an offset, which is its writer's meanwhile. */
  public static Completion at(Memory memory, long offset) throws IOException {
    // Its status is written last: what is read after it belongs to it.
    int status = memory.loadInt(offset + CompletionRecord.STATUS);
    ByteBuffer bytes =
        ByteBuffer.wrap(memory.read(offset, CompletionRecord.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
    return new Completion(
        status,
        bytes.getInt((int) CompletionRecord.ERROR),
        bytes.getLong((int) CompletionRecord.MOVED),
        bytes.getLong((int) CompletionRecord.RESULT),
        bytes.getLong((int) CompletionRecord.TAG));
  }

  /** Whether it ended well. */
  public boolean done() {
    return status == CompletionRecord.DONE;
  }
}
