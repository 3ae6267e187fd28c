package dev.peerbar.server.dma;

import com.sun.management.UnixOperatingSystemMXBean;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.linux.FileSystem;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.server.dma.DmaTable.RefusedException;
import java.lang.management.ManagementFactory;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files behind the DMA mappings, each opened once however many mappings refer to it. With a
 * vIOMMU a client sends a descriptor of the same guest RAM with each 4 KiB page. For the function's
 * thread.
 */
final class ClientFiles {

  private static final Logger log = LoggerFactory.getLogger(ClientFiles.class);

  /** A file in use. */
  static final class Reference {
    private final ClientFile.Key key;
    private final int number;
    private final ClientFile file;
    private int users;

    private Reference(ClientFile.Key key, int number, ClientFile file) {
      this.key = key;
      this.number = number;
      this.file = file;
    }

    /** By which a {@link Run} names it. */
    int number() {
      return number;
    }
  }

  /** Files open at a time. One client must not use up what the process may open and map. */
  private static final int MOST_FILES = 1024;

  /** Bytes mapped at a time; what goes beyond is opened by descriptor. Address space is finite. */
  private static final long MOST_MAPPED = 4L << 40;

  /** Descriptors that no client's file takes: the process has more to do than to hold them. */
  private static final long RESERVED_DESCRIPTORS = 64;

  /** The first descriptor that is too many. Linux gives the lowest that is free. */
  private static final long DESCRIPTOR_LIMIT = descriptorLimit();

  private static long descriptorLimit() {
    var system = (UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long most = system.getMaxFileDescriptorCount();
    return most - Math.min(RESERVED_DESCRIPTORS, most / 4);
  }

  /** Opens files as they are to be reached. */
  interface Opener {
    ClientFile open(
        FileDescriptor descriptor, FileStatus status, FileSystem fileSystem, Reach reach)
        throws LinuxException;
  }

  private Opener opener = ClientFile::open;
  private boolean trusting;

  // A file that grew is opened anew; DMA mappings made before keep the old one until they go.
  private final Map<ClientFile.Key, Reference> newest = new HashMap<>();
  // Mappings name files by number: two million of them refer to a file each. Engines read it inside
  // the gate, and find no mapping of a number that is being given or taken back.
  private final Reference[] byNumber = new Reference[Run.NO_FILE + 1 + MOST_FILES];
  private final BitSet numbers = new BitSet();
  private int open;
  private long mapped;

  /**
   * The file behind a descriptor, open at least as far as {@code offset + size}, with one mapping
   * more.
   *
   * @param descriptor stays the caller's
   * @return empty if the file is the client's alone to touch ({@link Reach#BY_MESSAGES})
   * @throws RefusedException as mmap(2): ENODEV if it is no file of bytes; EACCES if it cannot be
   *     read, or is to be written and the descriptor does not allow it; EINVAL if the range reaches
   *     beyond the file; ENOSPC for too many files, EMFILE if the process has few descriptors left;
   *     ENOMEM if the pool has too few huge pages for the file
   * @throws LinuxException if it cannot be opened
   */
  Optional<Reference> acquire(FileDescriptor descriptor, long offset, long size, boolean write)
      throws RefusedException, LinuxException {
    // Before the size is asked for: a client may shrink the file until the moment it is sealed.
    boolean sealed = SharedMemory.sealedAgainstShrinking(descriptor);
    FileStatus status = FileStatus.of(descriptor);
    // A DMABUF has no file type, but it has a size.
    boolean memory =
        switch (status.type()) {
          case REGULAR -> true;
          case OTHER -> status.size() > 0;
          default -> false;
        };
    if (!memory) {
      throw new RefusedException(Errno.ENODEV, "a descriptor of no memory");
    }
    if (!status.readable()) {
      throw new RefusedException(Errno.EACCES, "a descriptor that cannot be read");
    }
    if (offset < 0 || size < 0 || offset > status.size() - size) {
      throw new RefusedException(Errno.EINVAL, "the range reaches beyond its file");
    }
    if (write && !status.writable()) {
      throw new RefusedException(Errno.EACCES, "a writable mapping of a read-only descriptor");
    }
    ClientFile.Key key = new ClientFile.Key(status.device(), status.inode(), status.writable());
    Reference reference = newest.get(key);
    if (reference == null || offset + size > reference.file.size()) {
      FileSystem fileSystem = FileSystem.of(descriptor);
      Reach reach = reach(fileSystem, sealed, status.size());
      if (reach == Reach.BY_MESSAGES && !trusting) {
        return Optional.empty();
      }
      if (open == MOST_FILES) {
        throw new RefusedException(Errno.ENOSPC, "more than " + MOST_FILES + " files");
      }
      if (descriptor.number() >= DESCRIPTOR_LIMIT) {
        throw new RefusedException(Errno.EMFILE, "hardly any file descriptors are left");
      }
      Optional<ClientFile> file = open(descriptor, status, fileSystem, reach);
      if (file.isEmpty()) {
        return Optional.empty();
      }
      int number = numbers.nextClearBit(Run.NO_FILE + 1);
      reference = new Reference(key, number, file.get());
      numbers.set(number);
      byNumber[number] = reference;
      open++;
      mapped += reference.file.mapped();
      newest.put(key, reference);
    }
    reference.users++;
    return Optional.of(reference);
  }

  /** Has files mapped and touched from now on if they can be, whatever their client may do. */
  void trust() {
    trusting = true;
  }

  /** Has files opened in another way from now on: as ones that keep a test waiting, for one. */
  void openWith(Opener other) {
    opener = other;
  }

  private Reach reach(FileSystem fileSystem, boolean sealed, long size) {
    Reach reach = Reach.of(fileSystem.kind(), sealed);
    if (!reach.maps() || fits(size)) {
      return reach;
    }
    return fileSystem.kind() == FileSystem.Kind.MEMORY ? Reach.BY_DESCRIPTOR : Reach.BY_MESSAGES;
  }

  /** Whether there is address space left for a file. */
  private boolean fits(long size) {
    return size <= MOST_MAPPED - mapped;
  }

  /** Returns empty if it is to be reached by messages. */
  private Optional<ClientFile> open(
      FileDescriptor descriptor, FileStatus status, FileSystem fileSystem, Reach reach)
      throws RefusedException, LinuxException {
    if (trusting && reach != Reach.TOUCHED && fits(status.size())) {
      try {
        return Optional.of(opener.open(descriptor, status, fileSystem, Reach.TRUSTED));
      } catch (LinuxException e) {
        log.info("memory to be trusted cannot be mapped: {}", e.getMessage());
      }
    }
    if (reach == Reach.BY_MESSAGES) {
      return Optional.empty();
    }
    try {
      return Optional.of(opener.open(descriptor, status, fileSystem, reach));
    } catch (LinuxException e) {
      if (e.errno() == Errno.ENOMEM && fileSystem.kind() == FileSystem.Kind.HUGE_PAGES) {
        throw new RefusedException(
            Errno.ENOMEM,
            "the pool has too few huge pages of %d KiB for all of the file's %d MiB (nr_hugepages)"
                .formatted(fileSystem.blockSize() >> 10, status.size() >> 20));
      }
      throw e;
    }
  }

  /** The file of a number, or null for {@link Run#NO_FILE}. For engines inside the gate, too. */
  ClientFile file(int number) {
    return number == Run.NO_FILE ? null : byNumber[number].file;
  }

  /**
   * Counts mappings of a file. With the last one it is closed.
   *
   * @param mappings how many more there are; negative for how many less
   */
  void count(int number, int mappings) {
    Reference reference = byNumber[number];
    reference.users += mappings;
    if (reference.users == 0) {
      newest.remove(reference.key, reference);
      numbers.clear(number);
      byNumber[number] = null;
      open--;
      mapped -= reference.file.mapped();
      reference.file.close();
    }
  }
}
