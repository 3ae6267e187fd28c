package dev.peerbar.cli.start;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

final class ModernJarTest {
  private static final String CLASS = ".class";

  @TempDir private Path directory;
  private Path jar;

  @BeforeEach
  void rewrite() throws Exception {
    jar = directory.resolve("modern.jar");
    ModernJar.write(picocli(), jar);
  }

  private static Path picocli() throws Exception {
    URI location = CommandLine.class.getProtectionDomain().getCodeSource().getLocation().toURI();
    return Path.of(location);
  }

  private static List<String> entries(Path jar) throws IOException {
    try (JarFile file = new JarFile(jar.toFile())) {
      return file.stream().map(JarEntry::getName).toList();
    }
  }

  @Test
  void keepsEveryEntry() throws Exception {
    assertThat(entries(jar)).isEqualTo(entries(picocli()));
  }

  @Test
  void leavesNoOldClass() throws Exception {
    try (JarFile file = new JarFile(jar.toFile())) {
      for (JarEntry entry : file.stream().filter(each -> each.getName().endsWith(CLASS)).toList()) {
        try (InputStream in = file.getInputStream(entry)) {
          assertThat(ClassFile.of().parse(in.readAllBytes()).majorVersion())
              .as(entry.getName())
              .isGreaterThanOrEqualTo(ClassFile.JAVA_8_VERSION);
        }
      }
    }
  }

  /** The JVM verifies a class before it initialises it, and a new one by its stack maps only. */
  @Test
  void classesCanBeVerified() throws Exception {
    try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, null)) {
      for (String entry : entries(jar)) {
        if (entry.endsWith(CLASS) && !entry.endsWith("module-info.class")) {
          String name = entry.substring(0, entry.length() - CLASS.length()).replace('/', '.');
          assertThat(Class.forName(name, true, loader).getClassLoader()).isSameAs(loader);
        }
      }
    }
  }
}
