package dev.peerbar.server.dma;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.server.dma.DmaTable.RefusedException;
import java.util.HashMap;
import java.util.Map;

/**
 * The files behind the DMA mappings, each opened once however many mappings refer to it. With a
 * vIOMMU a client sends a descriptor of the same guest RAM with each 4 KiB page. For the function's
 * thread.
 */
final class ClientFiles {

  /** A file in use. */
  static final class Reference {
    private final ClientFile.Key key;
    private final ClientFile file;
    private int users;

    private Reference(ClientFile.Key key, ClientFile file) {
      this.key = key;
      this.file = file;
    }

    ClientFile file() {
      return file;
    }
  }

  // A file that grew is opened anew; DMA mappings made before keep the old one until they go.
  private final Map<ClientFile.Key, Reference> newest = new HashMap<>();

  /**
   * The file behind a descriptor, open at least as far as {@code offset + size}.
   *
   * @param descriptor stays the caller's
   * @throws RefusedException as mmap(2): ENODEV if it is no file of bytes; EACCES if it cannot be
   *     read, or is to be written and the descriptor does not allow it; EINVAL if the range reaches
   *     beyond the file
   * @throws LinuxException if it cannot be opened
   */
  Reference acquire(FileDescriptor descriptor, long offset, long size, boolean write)
      throws RefusedException, LinuxException {
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
      reference = new Reference(key, ClientFile.open(descriptor, status));
      newest.put(key, reference);
    }
    reference.users++;
    return reference;
  }

  void release(Reference reference) {
    if (--reference.users == 0) {
      newest.remove(reference.key, reference);
      reference.file.close();
    }
  }
}
