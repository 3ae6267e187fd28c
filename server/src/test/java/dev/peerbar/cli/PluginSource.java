package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/** Makes plugins for tests, from the source of one type of endpoint each. */
final class PluginSource {
  /** A whole type, parts of which a test replaces by others. */
  private static final String TYPE =
      """
      package sample;

      import dev.peerbar.endpoint.*;
      import dev.peerbar.pci.*;
      import java.util.List;

      public class %s implements EndpointType {
        public String name() { return "sample"; }
        public String description() { return "a function for 100%% of tests"; }
        public List<EndpointOption<?>> options() {
          return List.of(
              EndpointOption.number("level", "How high.", 7),
              EndpointOption.size("room", "How much.", 64 << 10),
              EndpointOption.onOff("light", "Whether to see."),
              EndpointOption.choice("doorbells", "How to ring.", DoorbellMode.TRAP),
              EndpointOption.text("left", "Where."),
              EndpointOption.text("right", "Where else.").insteadOf(EndpointOption.text("left", "")));
        }
        public Factory configure(EndpointOptions options) {
          int level = options.get(options().get(0)) instanceof Integer number ? number : 0;
          return context -> new Served(level);
        }
        public static class Served implements Endpoint {
          private final PciFunction function;
          Served(int level) {
            function = PciFunction.builder().identity(0x1234, level).classCode(0x120000)
                .registers(0, 4096).build();
          }
          public PciFunction function() { return function; }
          public void start(Host host) {}
          public long read(int bar, long offset, AccessWidth width) { return 0; }
          public void write(int bar, long offset, AccessWidth width, long value) {}
          public void reset(ResetKind kind) {}
        }
      }
      """;

  private final String className;
  private String source;

  private PluginSource(String className) {
    this.className = className;
    this.source = TYPE.formatted(className);
  }

  /** A type that can be served as "sample". */
  static PluginSource of(String className) {
    return new PluginSource(className);
  }

  /** With something else in place of a part of the source. */
  PluginSource with(String part, String other) {
    assertThat(source).contains(part);
    source = source.replace(part, other);
    return this;
  }

  /** Compiles it into a folder. */
  Path classes(Path folder) throws IOException {
    Path file = Files.createDirectories(folder.resolve("source")).resolve(className + ".java");
    Files.writeString(file, source);
    Path classes = folder.resolve("classes");
    StringWriter said = new StringWriter();
    int status =
        ToolProvider.findFirst("javac")
            .orElseThrow()
            .run(
                new PrintWriter(said),
                new PrintWriter(said),
                "-cp",
                System.getProperty("java.class.path"),
                "-d",
                classes.toString(),
                file.toString());
    assertThat(status).as(said.toString()).isZero();
    return classes;
  }

  /** A jar of it in a folder, listed as a service. */
  Path jar(Path folder) throws IOException {
    return jar(
        folder, classes(Files.createTempDirectory(folder, className)), "sample." + className);
  }

  /** A jar of classes. */
  static Path jar(Path folder, Path classes, String... services) throws IOException {
    Path jar = Files.createTempFile(folder, "plugin", ".jar");
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file);
        Stream<Path> files = Files.walk(classes)) {
      List<Path> all = new ArrayList<>(files.filter(Files::isRegularFile).toList());
      for (Path each : all) {
        out.putNextEntry(new JarEntry(classes.relativize(each).toString()));
        Files.copy(each, out);
      }
      if (services.length > 0) {
        out.putNextEntry(new JarEntry("META-INF/services/dev.peerbar.endpoint.EndpointType"));
        out.write(String.join("\n", services).getBytes(StandardCharsets.UTF_8));
      }
    }
    return jar;
  }
}
