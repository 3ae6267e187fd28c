package dev.peerbar.server.dma;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.lang.foreign.MemorySegment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What an engine reads into before it writes, where source and destination cannot meet directly. It
 * is a memory file, so that the kernel can copy out of it too. Taken when it is first needed, kept
 * from job to job, freed by {@link #close}. For the engine's thread.
 *
 * <p>It is the thread's alone: what is sent by messages has been copied when the message is made,
 * and what comes is not written here once the job has ended.
 */
public final class Bounce implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Bounce.class);

  /** The most that is read before it is written, in bytes. */
  static final long BYTES = 2 << 20;

  /** Room of the stage: what stays in the processor's cache from the one copy to the other. */
  static final long STAGE_BYTES = 64 << 10;

  private FileDescriptor file;
  private Mapping memory;
  private MemorySegment stage;

  /**
   * The memory.
   *
   * @param limit how much of it is wanted, if it has as much
   * @throws LinuxException if there is none to be had
   */
  MemorySegment take(long limit) throws LinuxException {
    open();
    return memory.segment().asSlice(0, Math.min(BYTES, limit));
  }

  /** Room beside the memory, for a part of a write. */
  MemorySegment stage() throws LinuxException {
    open();
    return stage;
  }

  /** The file that has it all. */
  FileDescriptor file() {
    return file;
  }

  /** Where the stage is in the file. */
  long stageOffset() {
    return BYTES;
  }

  private void open() throws LinuxException {
    if (memory != null) {
      return;
    }
    FileDescriptor created = null;
    try {
      created = SharedMemory.create("bounce", BYTES + STAGE_BYTES);
      memory = SharedMemory.map(created, 0, BYTES + STAGE_BYTES, SharedMemory.Access.READ_WRITE);
      stage = memory.segment().asSlice(BYTES);
      file = created;
    } catch (LinuxException e) {
      if (created != null) {
        created.close();
      }
      log.warn("no memory to copy through, so transfers that need it fault: {}", e.getMessage());
      throw e;
    }
  }

  /** Frees it; it is taken anew if it is needed again. */
  @Override
  public void close() {
    if (memory != null) {
      memory.close();
      file.close();
      memory = null;
      stage = null;
      file = null;
    }
  }
}
