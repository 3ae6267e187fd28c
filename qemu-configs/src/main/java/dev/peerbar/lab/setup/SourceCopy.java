package dev.peerbar.lab.setup;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.HashSet;
import java.util.Set;

/**
 * A copy of a kernel's source that may be patched, and is made like its origin again with little
 * copied. A file that changes in it gets the time of that moment, whatever the time of its origin:
 * make is to see that what was built from the other one is old.
 */
final class SourceCopy {
  private static final String GIT = ".git";

  private final Path origin;
  private final Path copy;
  private final boolean links;

  /**
   * @param links whether files are to be hard links to the origin's, which nobody changes in place
   */
  SourceCopy(Path origin, Path copy, boolean links) {
    this.origin = origin;
    this.copy = copy;
    this.links = links;
  }

  /**
   * Whether something was built in a tree, which kbuild then refuses to build elsewhere (its
   * Makefile, "The source tree is not clean").
   */
  static boolean isBuiltIn(Path tree) {
    return Files.exists(tree.resolve(".config"))
        || Files.isDirectory(tree.resolve("include/config"))
        || Files.isDirectory(tree.resolve("arch/x86/include/generated"));
  }

  /** Whether git knows which files of a tree are sources. */
  static boolean isGit(Path tree) {
    return Files.exists(tree.resolve(GIT)) && SetupProgram.exists("git");
  }

  /** Makes the copy like its origin, but for what was built there. */
  void renew() throws IOException, SetupException {
    Set<Path> sources = isGit(origin) ? known() : all();
    Files.createDirectories(copy);
    removeOthers(sources);
    for (Path source : sources) {
      renew(origin.resolve(source), copy.resolve(source));
    }
  }

  // Sources, committed or not; nothing that is ignored, as all that make leaves is.
  private Set<Path> known() throws IOException, SetupException {
    String names =
        SetupProgram.in(
                origin,
                "git",
                "-c",
                "core.quotePath=false",
                "-c",
                "safe.directory=" + origin,
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard")
            .output();
    Set<Path> known = new HashSet<>();
    for (String name : names.split("\0")) {
      if (!name.isBlank()) {
        known.add(Path.of(name));
      }
    }
    return known;
  }

  private Set<Path> all() throws IOException {
    Set<Path> all = new HashSet<>();
    Files.walkFileTree(
        origin,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
            return directory.endsWith(GIT)
                ? FileVisitResult.SKIP_SUBTREE
                : FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            all.add(origin.relativize(file));
            return FileVisitResult.CONTINUE;
          }
        });
    return all;
  }

  private void removeOthers(Set<Path> sources) throws IOException {
    Files.walkFileTree(
        copy,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            if (!sources.contains(copy.relativize(file))) {
              Files.delete(file);
            }
            return FileVisitResult.CONTINUE;
          }
        });
  }

  private void renew(Path from, Path to) throws IOException {
    BasicFileAttributes original;
    try {
      original = attributes(from);
    } catch (NoSuchFileException deleted) {
      // Git still knows it.
      Files.deleteIfExists(to);
      return;
    }
    if (original.isDirectory()) {
      // A module of git's own, such as no kernel has.
      return;
    }
    boolean replaced = Files.exists(to, LinkOption.NOFOLLOW_LINKS);
    if (replaced && same(from, original, to)) {
      return;
    }
    Cache.delete(to);
    Files.createDirectories(to.getParent());
    if (links && !replaced) {
      Files.createLink(to, from);
      return;
    }
    Files.copy(from, to, StandardCopyOption.COPY_ATTRIBUTES, LinkOption.NOFOLLOW_LINKS);
    if (replaced && original.isRegularFile()) {
      Files.setLastModifiedTime(to, FileTime.from(Instant.now()));
    }
  }

  private static BasicFileAttributes attributes(Path file) throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
  }

  private static boolean same(Path from, BasicFileAttributes original, Path to) throws IOException {
    BasicFileAttributes copied = attributes(to);
    if (original.isSymbolicLink() || copied.isSymbolicLink()) {
      return original.isSymbolicLink()
          && copied.isSymbolicLink()
          && Files.readSymbolicLink(from).equals(Files.readSymbolicLink(to));
    }
    if (original.size() != copied.size() || copied.isDirectory()) {
      return false;
    }
    // A patched file has the time at which it was patched, which its origin has not.
    return original.lastModifiedTime().equals(copied.lastModifiedTime())
        || Files.mismatch(from, to) < 0;
  }
}
