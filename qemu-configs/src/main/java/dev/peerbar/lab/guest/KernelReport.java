package dev.peerbar.lab.guest;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A report of the kernel's address sanitizer (KASAN) in its log.
 *
 * @param lines all of it, without levels, from one row of equals signs to the next
 */
public record KernelReport(List<String> lines) {
  private static final String ROW = "=".repeat(66);
  private static final String TITLE = "BUG: KASAN: ";
  private static final Pattern LEVEL = Pattern.compile("^<\\d+>");
  private static final Pattern STAMP = Pattern.compile("^\\[ *[0-9.]+]( *\\[ *[TC]\\d+])? ");

  public KernelReport {
    lines = List.copyOf(lines);
  }

  /** The reports in a part of the log, as {@link KernelLogMark#since} gives it. */
  public static List<KernelReport> in(List<String> log) {
    List<KernelReport> reports = new ArrayList<>();
    List<String> report = null;
    for (String raw : log) {
      String line = LEVEL.matcher(raw).replaceFirst("").stripTrailing();
      if (report == null) {
        if (line.endsWith(ROW)) {
          report = new ArrayList<>(List.of(line));
        }
        continue;
      }
      report.add(line);
      if (line.endsWith(ROW)) {
        if (report.stream().anyMatch(l -> l.contains(TITLE))) {
          reports.add(new KernelReport(report));
          report = null;
        } else {
          report = new ArrayList<>(List.of(line)); // that was the end of something else
        }
      }
    }
    return List.copyOf(reports);
  }

  /** What happened and in which function, without the time and the place in that function. */
  public String title() {
    String line = lines.stream().filter(l -> l.contains(TITLE)).findFirst().orElse("");
    return STAMP.matcher(line).replaceFirst("").replaceFirst("\\+0x[0-9a-f]+/0x[0-9a-f]+", "");
  }

  /** Whether a function is in one of its stacks. */
  public boolean names(String function) {
    return lines.stream().anyMatch(l -> l.contains(" " + function + "+0x"));
  }
}
