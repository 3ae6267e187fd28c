package dev.peerbar.server;

import dev.peerbar.linux.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Opens files as a client would, and counts what the process has open. */
public final class OpenFiles {
  private static final int O_RDONLY = 0;
  private static final int O_WRONLY = 1;
  private static final int O_RDWR = 2;

  private OpenFiles() {}

  public static FileDescriptor readOnly(Path path) {
    return open(path, O_RDONLY);
  }

  public static FileDescriptor writeOnly(Path path) {
    return open(path, O_WRONLY);
  }

  public static FileDescriptor readWrite(Path path) {
    return open(path, O_RDWR);
  }

  @SuppressWarnings("restricted")
  private static FileDescriptor open(Path path, int flags) {
    Linker linker = Linker.nativeLinker();
    var open =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("open"),
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
            Linker.Option.firstVariadicArg(2));
    try (Arena arena = Arena.ofConfined()) {
      return FileDescriptor.adopt(
          (int) open.invokeExact(arena.allocateFrom(path.toString()), flags));
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Makes a socket wait, as one is that another program opened. */
  @SuppressWarnings("restricted")
  static void makeBlocking(FileDescriptor socket) {
    final int setFlags = 4;
    Linker linker = Linker.nativeLinker();
    var fcntl =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("fcntl"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT),
            Linker.Option.firstVariadicArg(2));
    try {
      if ((int) fcntl.invokeExact(socket.number(), setFlags, O_RDWR) != 0) {
        throw new AssertionError("fcntl failed");
      }
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Writes all of it at once. */
  @SuppressWarnings("restricted")
  static void write(FileDescriptor file, byte[] bytes) {
    Linker linker = Linker.nativeLinker();
    var write =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("write"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
      if ((long) write.invokeExact(file.number(), data, (long) bytes.length) != bytes.length) {
        throw new AssertionError("write failed");
      }
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** The two ends of a pipe, the one to read from first. */
  @SuppressWarnings("restricted")
  static List<FileDescriptor> pipe() {
    Linker linker = Linker.nativeLinker();
    var pipe =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("pipe"),
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment ends = arena.allocate(ValueLayout.JAVA_INT, 2);
      if ((int) pipe.invokeExact(ends) != 0) {
        throw new AssertionError("pipe");
      }
      return List.of(
          FileDescriptor.adopt(ends.getAtIndex(ValueLayout.JAVA_INT, 0)),
          FileDescriptor.adopt(ends.getAtIndex(ValueLayout.JAVA_INT, 1)));
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Descriptors that are open in this process, but for what class loading opens. */
  public static long count() {
    try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
      return all.filter(OpenFiles::counts).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean counts(Path number) {
    try {
      String target = Files.readSymbolicLink(number).toString();
      return !target.endsWith(".jar") && !target.endsWith("/modules") && !target.endsWith(".class");
    } catch (IOException e) {
      // The one that listed the directory.
      return false;
    }
  }

  /** Mappings of this process whose file has such a name. */
  static long mappings(String name) {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains(name)).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
