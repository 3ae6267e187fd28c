package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Kinds of files that a client's memory can be in, all of which it can cut off. */
enum FileKind {
  MEMFD(FileSystem.Kind.MEMORY),
  TMPFS_FILE(FileSystem.Kind.MEMORY),
  DISK_FILE(FileSystem.Kind.DISK),
  HUGE_MEMFD(FileSystem.Kind.HUGE_PAGES),
  HUGE_FILE(FileSystem.Kind.HUGE_PAGES);

  private final FileSystem.Kind fileSystem;

  FileKind(FileSystem.Kind fileSystem) {
    this.fileSystem = fileSystem;
  }

  boolean huge() {
    return fileSystem == FileSystem.Kind.HUGE_PAGES;
  }

  /** A size that a file of this kind can have. */
  long size(long wanted) {
    return huge() ? wanted / HugePages.SIZE * HugePages.SIZE : wanted;
  }

  /** A new file, of which nothing is left once it is closed. Aborts the test where none can be. */
  FileDescriptor create(long size) throws Exception {
    FileDescriptor file =
        switch (this) {
          case MEMFD -> MemoryFiles.unsealed(size);
          case HUGE_MEMFD -> MemoryFiles.unsealedHugePages(size);
          case TMPFS_FILE -> in(Path.of("/dev/shm"), size);
          case DISK_FILE -> in(Path.of("target"), size);
          case HUGE_FILE -> onHugetlbfs(size);
        };
    FileSystem.Kind found = FileSystem.of(file).kind();
    if (found != fileSystem) {
      file.close();
    }
    assumeTrue(found == fileSystem, "the directory is on " + found);
    return file;
  }

  private static FileDescriptor in(Path directory, long size) throws IOException {
    assumeTrue(Files.isDirectory(directory), "no directory " + directory);
    Path path = Files.createTempFile(directory, "client-memory", "");
    try {
      FileDescriptor file = OpenFiles.readWrite(path);
      MemoryFiles.resize(file, size);
      return file;
    } finally {
      Files.delete(path);
    }
  }

  private static FileDescriptor onHugetlbfs(long size) throws Exception {
    Path directory = Files.createTempDirectory("hugetlbfs");
    try {
      assumeTrue(
          HostProgram.run(
              "mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", directory.toString()),
          "hugetlbfs cannot be mounted");
      try {
        return in(directory, size);
      } finally {
        // The open file keeps the file system for as long as it needs it.
        assertThat(HostProgram.run("umount", "-l", directory.toString())).isTrue();
      }
    } finally {
      Files.delete(directory);
    }
  }
}
