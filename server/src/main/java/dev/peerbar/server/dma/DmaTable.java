package dev.peerbar.server.dma;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The client's DMA mappings, by IOVA. The function's thread changes it; engines look up inside the
 * {@link Gate}. The work of a change or a lookup grows with the logarithm of the mappings.
 */
public final class DmaTable {
  /** The page size that mappings are made of, in bytes; the capability {@code pgsizes}. */
  public static final long PAGE_SIZE = 4096;

  /** Mappings that may live at the same time; the capability {@code max_dma_maps}. */
  public static final int MAX_MAPPINGS = 65535;

  private final Gate gate;
  private final ClientFiles files = new ClientFiles();
  private final NavigableMap<Long, DmaMapping> byStart = new TreeMap<>();
  private final Extents extents = new Extents();

  public DmaTable(Gate gate) {
    this.gate = gate;
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
      long size,
      boolean readable,
      boolean writable,
      long offset,
      Optional<FileDescriptor> descriptor)
      throws RefusedException {
    Optional<ClientFiles.Reference> file = Optional.empty();
    try {
      checkRange(iova, size);
      if (!readable && !writable) {
        throw new RefusedException(Errno.EINVAL, "neither readable nor writable");
      }
      if (overlaps(iova, size)) {
        throw new RefusedException(Errno.EEXIST, "overlaps a mapping");
      }
      if (byStart.size() >= MAX_MAPPINGS) {
        throw new RefusedException(Errno.ENOSPC, "more than " + MAX_MAPPINGS + " mappings");
      }
      if (descriptor.isPresent()) {
        if (offset % PAGE_SIZE != 0) {
          throw new RefusedException(Errno.EINVAL, "unaligned file offset");
        }
        try {
          file = files.acquire(descriptor.get(), offset, size, writable);
        } catch (LinuxException e) {
          throw new RefusedException(e.errno(), e.getMessage());
        }
      } else if (offset != 0) {
        throw new RefusedException(Errno.EINVAL, "a file offset without a file");
      }
    } finally {
      descriptor.ifPresent(FileDescriptor::close);
    }
    DmaMapping mapping = new DmaMapping(iova, size, readable, writable, file, offset);
    byStart.put(key(iova), mapping);
    gate.exclusively(() -> extents.add(mapping));
  }

  /**
   * Removes every mapping that lies wholly inside a range, as Linux vfio type1 does; none is fine.
   * When this returns no engine touches them, but for steps that {@link SlowSteps} tells of.
   *
   * @throws RefusedException EINVAL for an empty, unaligned or wrapping range, or one that would
   *     cut a mapping in two; nothing is removed then
   */
  public void unmap(long iova, long size) throws RefusedException {
    checkRange(iova, size);
    long last = iova + size - 1;
    Map.Entry<Long, DmaMapping> end = byStart.floorEntry(key(last));
    if (end == null || Long.compareUnsigned(end.getValue().last(), iova) < 0) {
      return;
    }
    if (end.getValue().iova() == iova && end.getValue().last() == last) {
      // What a client unmaps that maps page by page, among many.
      gate.revoke(() -> extents.remove(iova, last));
      release(byStart.remove(end.getKey()));
      return;
    }
    Map.Entry<Long, DmaMapping> before = byStart.lowerEntry(key(iova));
    if (Long.compareUnsigned(end.getValue().last(), last) > 0
        || before != null && Long.compareUnsigned(before.getValue().last(), iova) >= 0) {
      throw new RefusedException(Errno.EINVAL, "would cut a mapping in two");
    }
    gate.revoke(() -> extents.remove(iova, last));
    release(byStart.subMap(key(iova), true, key(last), true));
  }

  /** Removes every mapping and lets go of every file, as {@link #unmap}. */
  public void clear() {
    gate.revoke(extents::clear);
    release(byStart);
  }

  /** The files behind the mappings. */
  ClientFiles files() {
    return files;
  }

  public int size() {
    return byStart.size();
  }

  /** What covers an address, or null. Inside the gate, or on the function's thread. */
  Extent find(long address) {
    return extents.find(address);
  }

  /** Lets go of mappings that no engine can find any more, which takes no exclusion. */
  private void release(NavigableMap<Long, DmaMapping> part) {
    part.values().forEach(this::release);
    part.clear();
  }

  private void release(DmaMapping mapping) {
    mapping.file().ifPresent(files::release);
  }

  private boolean overlaps(long iova, long size) {
    Map.Entry<Long, DmaMapping> entry = byStart.floorEntry(key(iova + size - 1));
    return entry != null && Long.compareUnsigned(entry.getValue().last(), iova) >= 0;
  }

  private static void checkRange(long iova, long size) throws RefusedException {
    if (size == 0) {
      throw new RefusedException(Errno.EINVAL, "empty range");
    }
    if ((iova | size) % PAGE_SIZE != 0) {
      throw new RefusedException(Errno.EINVAL, "range not aligned to pages");
    }
    if (Long.compareUnsigned(iova + size - 1, iova) < 0) {
      throw new RefusedException(Errno.EINVAL, "range wraps");
    }
  }

  /** TreeMap compares keys as signed: with the sign bit flipped unsigned order comes out. */
  static Long key(long iova) {
    return iova ^ Long.MIN_VALUE;
  }
}
