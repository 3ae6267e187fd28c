package dev.peerbar.devices.nvme.queue;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;

/**
 * The Controller Memory Buffer as commands address it (NVMe 1.4 4.7, 8.5): a window of addresses
 * that never leaves the controller. It stays as it is from generation to generation.
 */
public final class ControllerMemory {
  private final MemorySegment memory;

  /** Where the window is, or none. The function's thread changes it, engines look. */
  private volatile Window window = Window.NONE;

  private record Window(long base, long size) {
    static final Window NONE = new Window(0, 0);

    /** How many bytes from an address on are on one side of the window's edges, at most a limit. */
    long piece(long address, long limit) {
      return Math.min(limit, contains(address) ? size - (address - base) : toBase(address));
    }

    boolean contains(long address) {
      return Long.compareUnsigned(address - base, size) < 0;
    }

    private long toBase(long address) {
      boolean below = size > 0 && Long.compareUnsigned(address, base) < 0;
      long distance = base - address;
      return below && distance > 0 ? distance : Long.MAX_VALUE;
    }
  }

  /**
   * @param memory behind the CMB's BAR; empty if there is none
   */
  public ControllerMemory(MemorySegment memory) {
    this.memory = memory;
  }

  /**
   * Opens the window: CMBMSC.CMSE is set. For the function's thread.
   *
   * @param base CMBMSC.CBA, page-aligned, with the whole CMB below the end of the address space
   */
  public void open(long base) {
    window = new Window(base, memory.byteSize());
  }

  /** Closes the window. For the function's thread. */
  public void close() {
    window = Window.NONE;
  }

  /** Whether a byte of a range is in the window. */
  boolean touches(long address, long length) {
    Window now = window;
    return length > 0 && (now.contains(address) || now.piece(address, length) < length);
  }

  /** As {@link Dma#mayWait}: the window is always at hand. */
  boolean mayWait(Dma dma, long address, long length) {
    Window now = window;
    for (long done = 0; done < length; ) {
      long at = address + done;
      long piece = now.piece(at, length - done);
      if (!now.contains(at) && dma.mayWait(at, piece)) {
        return true;
      }
      done += piece;
    }
    return false;
  }

  /** Reads a range that may begin and end anywhere. For an engine's thread. */
  void read(Dma dma, long address, MemorySegment into) throws DmaFaultException, JobEndedException {
    read(dma, address, into, 0, into.byteSize());
  }

  /** As {@link #read(Dma, long, MemorySegment)}, to a part of a segment. */
  void read(Dma dma, long address, MemorySegment into, long offset, long length)
      throws DmaFaultException, JobEndedException {
    Window now = window;
    for (long done = 0; done < length; ) {
      long at = address + done;
      long piece = now.piece(at, length - done);
      if (now.contains(at)) {
        dma.local(memory.asSlice(at - now.base, piece), into.asSlice(offset + done, piece));
      } else {
        dma.read(at, into, offset + done, piece);
      }
      done += piece;
    }
  }

  /** As {@link Dma#look}, of a range that may begin and end anywhere. For an engine's thread. */
  void look(Dma dma, long address, MemorySegment into) throws DmaFaultException, JobEndedException {
    if (touches(address, into.byteSize())) {
      read(dma, address, into);
    } else {
      dma.look(address, into);
    }
  }

  /** Writes a range that may begin and end anywhere. For an engine's thread. */
  void write(Dma dma, long address, MemorySegment from)
      throws DmaFaultException, JobEndedException {
    write(dma, address, from, 0, from.byteSize());
  }

  /** As {@link #write(Dma, long, MemorySegment)}, of a part of a segment. */
  void write(Dma dma, long address, MemorySegment from, long offset, long length)
      throws DmaFaultException, JobEndedException {
    Window now = window;
    for (long done = 0; done < length; ) {
      long at = address + done;
      long piece = now.piece(at, length - done);
      if (now.contains(at)) {
        dma.local(from.asSlice(offset + done, piece), memory.asSlice(at - now.base, piece));
      } else {
        dma.write(at, from, offset + done, piece);
      }
      done += piece;
    }
  }
}
