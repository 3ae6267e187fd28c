package dev.peerbar.cli.start;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.lang.constant.ClassDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;

/**
 * A copy of a jar whose class files are new enough for the JVM to verify them ahead of time. It
 * leaves classes of before Java 6 out of its AOT cache, and verifies each by inference when it is
 * loaded: that takes longer than all else at the start of a program whose command line parser is
 * compiled for Java 5.
 */
final class ModernJar {
  /** The first whose stack maps may not be missing. */
  private static final int VERSION = ClassFile.JAVA_8_VERSION;

  private static final String CLASS = ".class";

  private ModernJar() {}

  /**
   * Copies a jar. Classes that are new enough stay as they are.
   *
   * @throws IOException if a file cannot be read or written
   * @throws IllegalArgumentException if a class cannot be understood
   */
  static void write(Path from, Path to) throws IOException {
    try (JarFile old = new JarFile(from.toFile());
        OutputStream file = Files.newOutputStream(to);
        JarOutputStream modern = new JarOutputStream(file)) {
      ClassFile rewriting =
          ClassFile.of(
              ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
              // Frames merge types: it takes the jar's own to know what they have in common.
              ClassFile.ClassHierarchyResolverOption.of(
                  ClassHierarchyResolver.ofResourceParsing(type -> resource(old, type))
                      .orElse(ClassHierarchyResolver.defaultResolver())));
      for (Enumeration<JarEntry> entries = old.entries(); entries.hasMoreElements(); ) {
        JarEntry entry = entries.nextElement();
        byte[] content = old.getInputStream(entry).readAllBytes();
        modern.putNextEntry(new JarEntry(entry.getName()));
        modern.write(entry.getName().endsWith(CLASS) ? modern(rewriting, content) : content);
      }
    }
  }

  private static InputStream resource(JarFile jar, ClassDesc type) {
    String descriptor = type.descriptorString();
    JarEntry entry = jar.getJarEntry(descriptor.substring(1, descriptor.length() - 1) + CLASS);
    try {
      return entry == null ? null : jar.getInputStream(entry);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] modern(ClassFile rewriting, byte[] content) {
    var parsed = rewriting.parse(content);
    if (parsed.majorVersion() >= VERSION) {
      return content;
    }
    ClassTransform version =
        (builder, element) -> {
          if (element instanceof ClassFileVersion) {
            builder.withVersion(VERSION, 0);
          } else {
            builder.with(element);
          }
        };
    // A body that nobody looks at would be copied whole, and without a stack map.
    ClassTransform bodies =
        ClassTransform.transformingMethodBodies(
            (builder, instruction) -> builder.with(instruction));
    return rewriting.transformClass(parsed, version.andThen(bodies));
  }
}
