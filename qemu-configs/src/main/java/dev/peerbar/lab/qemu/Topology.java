package dev.peerbar.lab.qemu;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A file of {@code topologies/}: QEMU options, one a line, with placeholders.
 *
 * <p>A line is an option and, after white space, its value; {@code include NAME} stands for the
 * lines of another file; {@code #} begins a line of comment.
 */
public final class Topology {
  private static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{([A-Z_]+)}");
  private static final String INCLUDE = "include";

  /** What may have no value: its line is left out then. */
  private static final Set<String> OPTIONAL =
      Set.of("SOCKET_A", "SOCKET_B", "SOCKET_C", "USERLAND", "USERLAND_ID", "VIOMMU");

  /** The topologies there are. */
  public static final List<String> NAMES =
      List.of("one-switch", "two-root-ports", "nested-switches", "two-host-bridges", "acs-switch");

  private final String name;
  private final List<Line> lines;

  private record Line(String option, String value) {}

  private Topology(String name, List<Line> lines) {
    this.name = name;
    this.lines = List.copyOf(lines);
  }

  /**
   * Reads a topology of the program.
   *
   * @param name one of {@link #NAMES}
   * @throws IllegalArgumentException if there is none of this name
   */
  public static Topology named(String name) throws IOException {
    if (!NAMES.contains(name)) {
      throw new IllegalArgumentException(
          "no topology " + name + "; there are " + String.join(", ", NAMES));
    }
    return parse(name, LabResources.text("topologies/" + name));
  }

  static Topology parse(String name, String text) throws IOException {
    List<Line> lines = new ArrayList<>();
    for (String raw : text.lines().toList()) {
      String line = raw.strip();
      if (line.isEmpty() || line.startsWith("#")) {
        continue;
      }
      String[] words = line.split("\\s+", 2);
      String value = words.length == 2 ? words[1] : "";
      if (words[0].equals(INCLUDE)) {
        lines.addAll(parse(value, LabResources.text("topologies/" + value)).lines);
      } else if (words[0].startsWith("-")) {
        lines.add(new Line(words[0], value));
      } else {
        throw new IOException("topology " + name + ": not an option: " + line);
      }
    }
    return new Topology(name, lines);
  }

  public String name() {
    return name;
  }

  /**
   * QEMU's arguments.
   *
   * @param values of the placeholders
   * @throws IllegalArgumentException if a placeholder has none and must have one
   */
  public List<String> expand(Map<String, String> values) {
    List<String> arguments = new ArrayList<>();
    for (Line line : lines) {
      Matcher m = PLACEHOLDER.matcher(line.value);
      boolean wanted =
          m.results()
              .noneMatch(r -> OPTIONAL.contains(r.group(1)) && !values.containsKey(r.group(1)));
      if (!wanted) {
        continue;
      }
      arguments.add(line.option);
      if (!line.value.isEmpty()) {
        arguments.add(
            m.reset().replaceAll(r -> Matcher.quoteReplacement(value(values, r.group(1)))));
      }
    }
    return List.copyOf(arguments);
  }

  private String value(Map<String, String> values, String placeholder) {
    String value = values.get(placeholder);
    if (value == null) {
      throw new IllegalArgumentException("topology " + name + ": no value for " + placeholder);
    }
    return value;
  }
}
