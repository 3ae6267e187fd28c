package dev.peerbar.server.dma;

import dev.peerbar.linux.FileSystem;

/**
 * How the bytes of a client's file are reached: as fast as can be without trusting the client to
 * leave them there.
 */
enum Reach {
  /**
   * Mapped and touched. Of memory in ordinary pages whose size is sealed: a hole that the client
   * punches is filled with a fresh page, and nothing else can go wrong.
   */
  TOUCHED,

  /**
   * Mapped, and copied by the kernel, which gives an error where a load or a store would raise
   * SIGBUS: for memory that can be cut off, or whose pages come out of a pool that can be empty.
   * Waits for no disk, no matter what the client does.
   */
  GUARDED,

  /**
   * By pread and pwrite, outside the {@link Gate}. For files on disks, for which anybody may have
   * to wait: a page fault that waits for one would hold up all of this process.
   */
  BY_DESCRIPTOR,

  /**
   * By DMA_READ and DMA_WRITE: the client touches it. For what only its owner knows how to touch
   * (DMABUFs), and for file systems in which an answer may never come.
   */
  BY_MESSAGES;

  /**
   * The way to a file.
   *
   * @param sealed whether nobody can make it shorter
   */
  static Reach of(FileSystem.Kind kind, boolean sealed) {
    return switch (kind) {
      case MEMORY -> sealed ? TOUCHED : GUARDED;
      // Sealed or not: a hole can be punched, and the page that would fill it be another's by then.
      case HUGE_PAGES -> GUARDED;
      case DISK -> BY_DESCRIPTOR;
      case DMABUF, OTHER -> BY_MESSAGES;
    };
  }

  /** Whether it takes address space. */
  boolean maps() {
    return this == TOUCHED || this == GUARDED;
  }
}
