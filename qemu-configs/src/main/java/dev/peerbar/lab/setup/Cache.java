package dev.peerbar.lab.setup;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The cache directory. A product is a directory with a name of its own that is either whole or not
 * there: it is made under a temporary name and renamed.
 */
final class Cache {
  private static final String TEMPORARY = "tmp-";

  private final Path root;

  Cache(Path root) {
    this.root = root;
  }

  /** {@code ${XDG_CACHE_HOME:-~/.cache}/peerbar}. */
  static Cache ofUser() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    if (xdg != null && xdg.startsWith("/")) {
      return new Cache(Path.of(xdg, "peerbar"));
    }
    // What a shell means by ~; user.home is the password file's instead.
    String home = System.getenv("HOME");
    return new Cache(
        Path.of(home != null ? home : System.getProperty("user.home"), ".cache", "peerbar"));
  }

  /** Makes the contents of a product in the directory it is given. */
  @FunctionalInterface
  interface Maker {
    void make(Path directory) throws IOException, SetupException;
  }

  Optional<Path> find(String product) {
    Path path = root.resolve(product);
    return Files.isDirectory(path) ? Optional.of(path) : Optional.empty();
  }

  /** The product, made now if it is not there. Call with the {@link #lock} held. */
  Path make(String product, Maker maker) throws IOException, SetupException {
    Optional<Path> there = find(product);
    if (there.isPresent()) {
      return there.get();
    }
    Path temporary = temporary(product);
    try {
      maker.make(temporary);
      return Files.move(temporary, root.resolve(product), StandardCopyOption.ATOMIC_MOVE);
    } finally {
      delete(temporary);
    }
  }

  /** Removes the products whose names begin so, but for one. Call with the {@link #lock} held. */
  void deleteOthers(String prefix, String kept) throws IOException {
    try (Stream<Path> entries = Files.list(root)) {
      for (Path p : entries.toList()) {
        String name = p.getFileName().toString();
        if (name.startsWith(prefix) && !name.equals(kept)) {
          delete(p);
        }
      }
    }
  }

  /**
   * A directory for what is changed again and again, and need not be whole; it may not be there.
   */
  Path workplace(String name) {
    return root.resolve(name);
  }

  /** What is there, by names that begin so; the one that was used last comes first. */
  List<Path> newest(String prefix) throws IOException {
    if (!Files.isDirectory(root)) {
      return List.of();
    }
    Map<Path, FileTime> times = new HashMap<>();
    try (Stream<Path> entries = Files.list(root)) {
      for (Path p : entries.filter(e -> e.getFileName().toString().startsWith(prefix)).toList()) {
        times.put(p, Files.getLastModifiedTime(p));
      }
    }
    return times.entrySet().stream()
        .sorted(Map.Entry.<Path, FileTime>comparingByValue().reversed())
        .map(Map.Entry::getKey)
        .toList();
  }

  /** Notes that something is used, and removes what was not used for longest. */
  void keepNewest(Path used, String prefix, int most) throws IOException {
    Files.setLastModifiedTime(used, FileTime.from(Instant.now()));
    List<Path> all = newest(prefix);
    for (Path old : all.subList(Math.min(most, all.size()), all.size())) {
      delete(old);
    }
  }

  /** An empty directory that goes away with the next set-up at the latest. */
  Path temporary(String name) throws IOException {
    return Files.createTempDirectory(root, TEMPORARY + name + "-");
  }

  /**
   * Keeps others out who would work in the same {@link #workplace}s, for as long as that takes; not
   * other set-ups. To be taken before {@link #lock}, if both are.
   *
   * @param waiting called if somebody works there, before waiting for him
   */
  Lock workplaces(Runnable waiting) throws IOException {
    return locked("kernels.lock", waiting);
  }

  private Lock locked(String name, Runnable waiting) throws IOException {
    Files.createDirectories(root);
    FileChannel file =
        FileChannel.open(root.resolve(name), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      if (file.tryLock() == null) {
        waiting.run();
        file.lock();
      }
      return new Lock(file);
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /**
   * Keeps other set-ups out, of this process and of others, until it is closed; removes what an
   * interrupted one left.
   *
   * @param waiting called if another one is running, before waiting for it
   */
  Lock lock(Runnable waiting) throws IOException {
    Lock lock = locked("lock", waiting);
    try (Stream<Path> entries = Files.list(root)) {
      for (Path p : entries.toList()) {
        if (p.getFileName().toString().startsWith(TEMPORARY)) {
          delete(p);
        }
      }
      return lock;
    } catch (IOException | RuntimeException e) {
      lock.close();
      throw e;
    }
  }

  /** The held lock. */
  record Lock(FileChannel file) implements AutoCloseable {
    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  static void delete(Path directory) throws IOException {
    if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    List<Path> all;
    try (Stream<Path> walk = Files.walk(directory)) {
      all = walk.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path p : all) {
      Files.delete(p);
    }
  }
}
