package dev.peerbar.probe;

import dev.peerbar.linux.FileDescriptor;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/** A socket of the Unix domain that takes datagrams, which the JDK has none of. */
final class DatagramSocketFile {
  private static final short AF_UNIX = 1;
  private static final int SOCK_DGRAM = 2;
  private static final int SUN_PATH = 2;
  private static final int SOCKADDR_LENGTH = 110;

  private DatagramSocketFile() {}

  @SuppressWarnings("restricted")
  static FileDescriptor create(Path path) {
    Linker linker = Linker.nativeLinker();
    var socket =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("socket"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT));
    var bind =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("bind"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = arena.allocate(SOCKADDR_LENGTH, Short.BYTES);
      address.set(ValueLayout.JAVA_SHORT, 0, AF_UNIX);
      address.setString(SUN_PATH, path.toString());
      int number = (int) socket.invokeExact((int) AF_UNIX, SOCK_DGRAM, 0);
      if ((int) bind.invokeExact(number, address, SOCKADDR_LENGTH) != 0) {
        throw new AssertionError("bind");
      }
      return FileDescriptor.adopt(number);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }
}
