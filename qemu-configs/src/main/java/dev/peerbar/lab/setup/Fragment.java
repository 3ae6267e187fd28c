package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Options of a kernel's configuration: a file {@code kernel/NAME.config}.
 *
 * @param name of the file, without its ending
 * @param text of the file
 * @param options their values by their names, such as {@code CONFIG_VFIO} and {@code y}
 * @param commandLine words of the kernel's command line without which the options are of little
 *     use: a comment {@code # command-line: WORDS}; or empty
 */
record Fragment(String name, String text, Map<String, String> options, String commandLine) {
  /** Of the kernel that others are made from. */
  static final String BASE = "p2p";

  static final String DIRECTORY = "kernel";
  static final String ENDING = ".config";
  private static final Pattern OPTION = Pattern.compile("(CONFIG_\\w+)=(.+)");
  private static final Pattern WORDS = Pattern.compile("# command-line: (.+)");
  private static final String UNSET = "n";

  static Fragment named(String name) throws IOException {
    return parse(name, LabResources.text(DIRECTORY + "/" + name + ENDING));
  }

  static Fragment parse(String name, String text) {
    Map<String, String> options = new LinkedHashMap<>();
    List<String> words = new ArrayList<>();
    for (String line : text.lines().map(String::strip).toList()) {
      Matcher option = OPTION.matcher(line);
      Matcher more = WORDS.matcher(line);
      if (option.matches()) {
        options.put(option.group(1), option.group(2));
      } else if (more.matches()) {
        words.add(more.group(1).strip());
      }
    }
    return new Fragment(name, text, options, String.join(" ", words));
  }

  /** The first option that a configuration has otherwise than this asks for, in a clause. */
  String unmet(String configuration) {
    Map<String, String> values = parse("", configuration).options();
    for (Map.Entry<String, String> asked : options.entrySet()) {
      String value = values.getOrDefault(asked.getKey(), UNSET);
      if (!value.equals(asked.getValue())) {
        return "%s asks for %s=%s, and the configuration has %s"
            .formatted(
                name, asked.getKey(), asked.getValue(), value.equals(UNSET) ? "it not" : value);
      }
    }
    return "";
  }
}
