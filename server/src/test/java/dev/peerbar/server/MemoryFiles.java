package dev.peerbar.server;

import dev.peerbar.linux.FileDescriptor;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Memory files as a client makes them that means harm: of any size at any time, sealed or not. */
@SuppressWarnings("restricted")
final class MemoryFiles {
  private static final int MFD_ALLOW_SEALING = 2;
  private static final int MFD_HUGETLB = 4;
  private static final int MFD_HUGE_1GB = 30 << 26;
  private static final int F_ADD_SEALS = 1033;
  private static final int F_SEAL_SHRINK = 2;

  private static final MethodHandle MEMFD_CREATE =
      handle(
          "memfd_create",
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
  private static final MethodHandle FTRUNCATE =
      handle(
          "ftruncate",
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG));
  private static final MethodHandle FCNTL =
      handle(
          "fcntl",
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT),
          Linker.Option.firstVariadicArg(2));

  private MemoryFiles() {}

  private static MethodHandle handle(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor, options);
  }

  /** Memory that anyone may resize. */
  static FileDescriptor unsealed(long size) {
    return create(MFD_ALLOW_SEALING, size);
  }

  /** Memory in huge pages, of which there may be none; sealed against shrinking. */
  static FileDescriptor hugePages(long size) {
    FileDescriptor file = create(MFD_ALLOW_SEALING | MFD_HUGETLB, size);
    seal(file);
    return file;
  }

  /** Memory in huge pages that anyone may resize. */
  static FileDescriptor unsealedHugePages(long size) {
    return create(MFD_ALLOW_SEALING | MFD_HUGETLB, size);
  }

  /** Memory in pages of 1 GiB, of which hardly any machine has some. */
  static FileDescriptor giganticPages(long size) {
    return create(MFD_HUGETLB | MFD_HUGE_1GB, size);
  }

  private static FileDescriptor create(int flags, long size) {
    try (Arena arena = Arena.ofConfined()) {
      int number = (int) MEMFD_CREATE.invokeExact(arena.allocateFrom("client-memory"), flags);
      FileDescriptor file = FileDescriptor.adopt(number);
      resize(file, size);
      return file;
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Sets the size of a file. */
  static void resize(FileDescriptor file, long size) {
    try {
      check((int) FTRUNCATE.invokeExact(file.number(), size));
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Nobody can make it shorter from now on. */
  static void seal(FileDescriptor file) {
    try {
      check((int) FCNTL.invokeExact(file.number(), F_ADD_SEALS, F_SEAL_SHRINK));
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  private static void check(int result) {
    if (result != 0) {
      throw new AssertionError("a system call failed");
    }
  }
}
