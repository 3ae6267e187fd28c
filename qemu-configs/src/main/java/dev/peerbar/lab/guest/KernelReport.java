package dev.peerbar.lab.guest;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A report in the kernel's log of its address sanitizer (KASAN), or of what watches its locks
 * (lockdep).
 *
 * @param lines all of it, without levels: from one row of equals signs to the next, or to the end
 *     of the stack that it ends with
 */
public record KernelReport(List<String> lines) {
  private static final String KASAN_ROW = "=".repeat(66);
  private static final String KASAN = "BUG: KASAN: ";
  private static final String LOCKDEP_ROW = "=".repeat(54);
  private static final String LOCKDEP = "WARNING: possible ";
  private static final String LOCKDEP_END = "</TASK>";
  private static final Pattern LEVEL = Pattern.compile("^<\\d+>");
  private static final Pattern STAMP = Pattern.compile("^\\[ *[0-9.]+]( *\\[ *[TC]\\d+])? ?");

  public KernelReport {
    lines = List.copyOf(lines);
  }

  /** The reports in a part of the log, as {@link KernelLogMark#since} gives it. */
  public static List<KernelReport> in(List<String> log) {
    List<String> lines =
        log.stream().map(l -> LEVEL.matcher(l).replaceFirst("").stripTrailing()).toList();
    List<KernelReport> reports = new ArrayList<>();
    for (int at = 0; at < lines.size(); at++) {
      int end = endOf(lines, at);
      if (end > 0) {
        // Lockdep begins with a line that has nothing but the time.
        int start = at > 0 && withoutTime(lines.get(at - 1)).isEmpty() ? at - 1 : at;
        reports.add(new KernelReport(lines.subList(start, end + 1)));
        at = end;
      }
    }
    return List.copyOf(reports);
  }

  /** The last line of a report that begins with a row there; 0 if none does. */
  private static int endOf(List<String> lines, int at) {
    String title = at + 1 < lines.size() ? withoutTime(lines.get(at + 1)) : "";
    String row = withoutTime(lines.get(at));
    String last;
    if (row.equals(KASAN_ROW) && title.startsWith(KASAN)) {
      last = KASAN_ROW;
    } else if (row.equals(LOCKDEP_ROW) && title.startsWith(LOCKDEP)) {
      last = LOCKDEP_END;
    } else {
      return 0;
    }
    for (int end = at + 1; end < lines.size(); end++) {
      if (withoutTime(lines.get(end)).strip().equals(last)) {
        return end;
      }
    }
    return 0;
  }

  /** A line of the log without the time, and without the thread, at its beginning. */
  public static String withoutTime(String line) {
    return STAMP.matcher(line).replaceFirst("");
  }

  /** What happened and in which function, without the time and the place in that function. */
  public String title() {
    return lines.stream()
        .map(KernelReport::withoutTime)
        .filter(l -> l.startsWith(KASAN) || l.startsWith(LOCKDEP))
        .findFirst()
        .orElse("")
        .replaceFirst("\\+0x[0-9a-f]+/0x[0-9a-f]+", "");
  }

  /** Whether a function is in one of its stacks. */
  public boolean names(String function) {
    return lines.stream().anyMatch(l -> l.contains(" " + function + "+0x"));
  }

  /** Whether a line of the log, without its level, is one of it. */
  public boolean has(String line) {
    return lines.contains(line.stripTrailing());
  }
}
