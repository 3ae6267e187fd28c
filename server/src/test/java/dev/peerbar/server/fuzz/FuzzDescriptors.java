package dev.peerbar.server.fuzz;

import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.MemoryFiles;
import dev.peerbar.server.fixture.OpenFiles;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** A file descriptor of each kind, as a hostile client may send them. */
final class FuzzDescriptors implements AutoCloseable {
  static final long SIZE = 64 << 10;

  private final GuestMemory ring = new GuestMemory("fuzz-sealed", SIZE);
  private final Map<FuzzScript.Kind, FileDescriptor> kept = new EnumMap<>(FuzzScript.Kind.class);
  private final List<FileDescriptor> others = new ArrayList<>();
  private final List<FileDescriptor> ofThisScript = new ArrayList<>();

  FuzzDescriptors(Path directory) throws IOException {
    Path plain = Files.write(directory.resolve("plain"), new byte[(int) SIZE]);
    List<FileDescriptor> pipe = OpenFiles.pipe();
    UnixSocket.Pair pair = UnixSocket.pair();
    others.add(pipe.get(0));
    others.add(pair.first());
    kept.put(FuzzScript.Kind.SEALED, ring.file());
    kept.put(FuzzScript.Kind.HUGE_PAGES, MemoryFiles.hugePages(2 << 20));
    kept.put(FuzzScript.Kind.READ_ONLY, OpenFiles.readOnly(plain));
    kept.put(FuzzScript.Kind.EVENT, EventDescriptor.create());
    kept.put(FuzzScript.Kind.PIPE, pipe.get(1));
    kept.put(FuzzScript.Kind.SOCKET, pair.second());
    kept.put(FuzzScript.Kind.NULL_DEVICE, OpenFiles.readWrite(Path.of("/dev/null")));
    kept.put(FuzzScript.Kind.ZERO_DEVICE, OpenFiles.readWrite(Path.of("/dev/zero")));
    kept.put(FuzzScript.Kind.DIRECTORY, OpenFiles.readOnly(directory));
    kept.put(FuzzScript.Kind.PROC, OpenFiles.readOnly(Path.of("/proc/self/status")));
  }

  /** One of a kind; stays owned by this. */
  FileDescriptor get(FuzzScript.Kind kind) throws IOException {
    if (kind != FuzzScript.Kind.UNSEALED) {
      return kept.get(kind);
    }
    FileDescriptor memory = MemoryFiles.unsealed(SIZE);
    ofThisScript.add(memory);
    return memory;
  }

  /** Makes the newest file of unsealed memory a page long. */
  void shrink() throws IOException {
    if (!ofThisScript.isEmpty()) {
      MemoryFiles.resize(ofThisScript.getLast(), GuestMemory.PAGE);
    }
  }

  /** Puts a descriptor ring at the beginning of the sealed memory. */
  void ring(ByteBuf entries) {
    int length = (int) Math.min(SIZE, entries.readableBytes());
    MemorySegment.copy(MemorySegment.ofBuffer(entries.nioBuffer()), 0, ring.bytes(), 0, length);
  }

  /** A script has ended. */
  void forget() {
    ofThisScript.forEach(FileDescriptor::close);
    ofThisScript.clear();
  }

  @Override
  public void close() {
    forget();
    kept.values().forEach(FileDescriptor::close);
    others.forEach(FileDescriptor::close);
    ring.close();
  }
}
