package dev.peerbar.server.dma;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The client's DMA mappings, by IOVA. The function's thread changes it; engines look up inside the
 * {@link Gate}. The work of a change or a lookup grows with the logarithm of the mappings; of a
 * change that removes many, so does the part that engines wait for.
 */
public final class DmaTable {
  /** The page size that mappings are made of, in bytes; the capability {@code pgsizes}. */
  public static final long PAGE_SIZE = 4096;

  /**
   * The most that a mapping takes of the heap, in bytes: each a run of its own, in leaves so empty
   * that two neighbours hold little more than three quarters of one. Made in any order it is 47, in
   * the order of the addresses 33.
   */
  public static final int MOST_BYTES = 88;

  private final Gate gate;
  private final int most;
  private final ClientFiles files = new ClientFiles();
  private final Runs runs;
  private int size;

  /**
   * @param most mappings that may live at the same time
   */
  public DmaTable(Gate gate, int most) {
    this(gate, most, new Runs());
  }

  DmaTable(Gate gate, int most, Runs runs) {
    this.gate = gate;
    this.most = most;
    this.runs = runs;
  }

  /** A request that the table refuses, with the errno that the Linux vfio type1 driver gives. */
  public static final class RefusedException extends Exception {
    private static final long serialVersionUID = 1L;
    private final Errno errno;

    RefusedException(Errno errno, String reason) {
      super(reason, null, false, false);
      this.errno = errno;
    }

    public Errno errno() {
      return errno;
    }
  }

  /**
   * Adds a mapping.
   *
   * @param offset of the range in the file, in bytes
   * @param descriptor of the file; the table takes it over and closes it, whatever comes of it
   * @throws RefusedException EINVAL for an empty, unaligned or wrapping range, for no permission,
   *     or for one that reaches beyond the file; EEXIST for an overlap; ENOSPC when the table is
   *     full; what mmap says if the file cannot be mapped so
   */
  public void map(
      long iova,
      long length,
      boolean readable,
      boolean writable,
      long offset,
      Optional<FileDescriptor> descriptor)
      throws RefusedException {
    int file = Run.NO_FILE;
    Run before;
    try {
      checkRange(iova, length);
      if (!readable && !writable) {
        throw new RefusedException(Errno.EINVAL, "neither readable nor writable");
      }
      before = runs.floor(iova + length - 1);
      if (before != null && Long.compareUnsigned(before.last(), iova) >= 0) {
        throw new RefusedException(Errno.EEXIST, "overlaps a mapping");
      }
      if (size >= most) {
        throw new RefusedException(Errno.ENOSPC, "more than " + most + " mappings");
      }
      if (descriptor.isPresent()) {
        if (offset % PAGE_SIZE != 0) {
          throw new RefusedException(Errno.EINVAL, "unaligned file offset");
        }
        try {
          file =
              files
                  .acquire(descriptor.get(), offset, length, writable)
                  .map(ClientFiles.Reference::number)
                  .orElse(Run.NO_FILE);
        } catch (LinuxException e) {
          throw new RefusedException(e.errno(), e.getMessage());
        }
      } else if (offset != 0) {
        throw new RefusedException(Errno.EINVAL, "a file offset without a file");
      }
    } finally {
      descriptor.ifPresent(FileDescriptor::close);
    }
    long place = file == Run.NO_FILE ? 0 : offset;
    add(before, new Run(iova, length, 1, place, file, readable, writable));
    size++;
  }

  /** Adds a mapping, and joins the runs that it closes a gap between. */
  private void add(Run before, Run mapping) {
    boolean follows = before != null && before.continuesIn(mapping);
    Run joined = follows ? before.join(mapping) : mapping;
    // Before address 0 there is nothing: then this is the one before, which does not continue.
    Run after = runs.floor(mapping.last() + 1);
    boolean followed = after != null && joined.continuesIn(after);
    Run whole = followed ? joined.join(after) : joined;
    gate.exclusively(() -> {
      if (followed) {
        runs.remove(after.iova(), after.iova(), new ArrayList<>());
      }
      if (follows) {
        runs.replace(whole);
      } else {
        runs.insert(whole);
      }
    });
  }

  /**
   * Removes every mapping that lies wholly inside a range, as Linux vfio type1 does; none is fine.
   * When this returns no engine touches them, but for steps that {@link SlowPieces} tells of.
   *
   * @throws RefusedException EINVAL for an empty, unaligned or wrapping range, or one that would
   *     cut a mapping in two; nothing is removed then
   */
  public void unmap(long iova, long length) throws RefusedException {
    checkRange(iova, length);
    long last = iova + length - 1;
    Run tail = runs.floor(last);
    if (tail == null || Long.compareUnsigned(tail.last(), iova) < 0) {
      return;
    }
    Run head = Long.compareUnsigned(tail.iova(), iova) <= 0 ? tail : runs.floor(iova);
    boolean headReachesIn = head != null && head.covers(iova);
    boolean tailReachesOut = Long.compareUnsigned(tail.last(), last) > 0;
    if (headReachesIn && !head.begins(iova) || tailReachesOut && !tail.begins(last + 1)) {
      throw new RefusedException(Errno.EINVAL, "would cut a mapping in two");
    }
    Run left = headReachesIn && head.iova() != iova ? head.before(iova) : null;
    Run right = tailReachesOut ? tail.from(last + 1) : null;
    List<RunNode> removed = new ArrayList<>();
    gate.revoke(() -> {
      runs.remove(iova, last, removed);
      if (left != null) {
        runs.replace(left);
      }
      if (right != null) {
        runs.insert(right);
      }
    });
    // What stays comes first, so that no file is without mappings meanwhile.
    if (right != null) {
      count(right.file(), right.count());
    }
    if (left != null) {
      count(head.file(), left.count() - head.count());
    }
    forget(removed);
  }

  /** Removes every mapping and lets go of every file, as {@link #unmap}. */
  public void clear() {
    List<RunNode> removed = new ArrayList<>();
    gate.revoke(() -> runs.clear(removed));
    forget(removed);
  }

  /** Counts off what no engine can find any more, which takes no exclusion. */
  private void forget(List<RunNode> removed) {
    for (RunNode node : removed) {
      node.visit((file, mappings) -> count(file, -mappings));
    }
  }

  /** Counts mappings that came; negative for those that went. */
  private void count(int file, int mappings) {
    size += mappings;
    if (file != Run.NO_FILE) {
      files.count(file, mappings);
    }
  }

  /** Mappings that may live at the same time. */
  public int most() {
    return most;
  }

  /** The files behind the mappings. */
  ClientFiles files() {
    return files;
  }

  public int size() {
    return size;
  }

  /** What covers an address, or null. Inside the gate, or on the function's thread. */
  Extent find(long address) {
    Extent found = new Extent();
    return find(address, position(), found) ? found : null;
  }

  /**
   * Has an extent become what covers an address, fast if it is where the place is or right behind.
   *
   * @return whether anything covers it; the extent is as it was if nothing does
   */
  boolean find(long address, Runs.Position position, Extent extent) {
    Run run = position.covering(address);
    if (run == null) {
      return false;
    }
    extent.become(run, files.file(run.file()), address);
    return true;
  }

  /** A place to go on from. */
  Runs.Position position() {
    return runs.new Position();
  }

  /** Another number after each change. Extents found before a change are of no use any more. */
  long changes() {
    return runs.changes();
  }

  private static void checkRange(long iova, long length) throws RefusedException {
    if (length == 0) {
      throw new RefusedException(Errno.EINVAL, "empty range");
    }
    if ((iova | length) % PAGE_SIZE != 0) {
      throw new RefusedException(Errno.EINVAL, "range not aligned to pages");
    }
    if (Long.compareUnsigned(iova + length - 1, iova) < 0) {
      throw new RefusedException(Errno.EINVAL, "range wraps");
    }
  }
}
