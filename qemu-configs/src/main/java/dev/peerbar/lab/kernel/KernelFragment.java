package dev.peerbar.lab.kernel;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What {@code kernel/p2p.config} asks of a kernel, group by group. */
final class KernelFragment {
  private static final Pattern HEADING = Pattern.compile("## ([a-z0-9-]+): .*");
  private static final Pattern MODULE = Pattern.compile("# module: (\\S+)");
  private static final Pattern OPTION = Pattern.compile("(CONFIG_\\w+)=y");

  /** Options that make this kernel small or quick to build. */
  private static final String NOBODYS = "own";

  private KernelFragment() {}

  /**
   * An option that has to be there.
   *
   * @param module what it is called in a kernel that has it as a module, if it can be one
   */
  record Option(String name, Optional<String> module) {}

  /** The options of every group that a kernel can be held to. */
  static Map<KernelNeed, List<Option>> read() throws IOException {
    return parse(LabResources.text("kernel/p2p.config"));
  }

  static Map<KernelNeed, List<Option>> parse(String text) throws IOException {
    Map<KernelNeed, List<Option>> groups = new EnumMap<>(KernelNeed.class);
    List<Option> group = new ArrayList<>();
    Optional<String> module = Optional.empty();
    for (String line : text.lines().map(String::strip).toList()) {
      Matcher heading = HEADING.matcher(line);
      Matcher named = MODULE.matcher(line);
      Matcher option = OPTION.matcher(line);
      if (heading.matches()) {
        group =
            heading.group(1).equals(NOBODYS)
                ? new ArrayList<>()
                : groups.computeIfAbsent(need(heading.group(1)), _ -> new ArrayList<>());
      } else if (named.matches()) {
        module = Optional.of(named.group(1));
      } else if (option.matches()) {
        group.add(new Option(option.group(1), module));
        module = Optional.empty();
      }
    }
    return groups;
  }

  private static KernelNeed need(String heading) throws IOException {
    for (KernelNeed need : KernelNeed.values()) {
      if (need.heading().equals(heading)) {
        return need;
      }
    }
    throw new IOException("kernel/p2p.config has a group that nobody knows: " + heading);
  }
}
