package dev.peerbar.lab.guest;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A line of the guest's {@code /proc/interrupts}.
 *
 * @param number of the interrupt, or letters for one of the processor's own
 * @param counts how often it was taken, by processor
 * @param chip who sends it, such as {@code IR-PCI-MSIX-0000:03:00.0}; empty for one of the
 *     processor's own
 * @param name of its handlers, such as {@code vfio-msix[0](0000:03:00.0)}; or what the processor's
 *     own is for
 */
public record InterruptLine(String number, List<Long> counts, String chip, String name) {
  private static final Pattern LINE = Pattern.compile(" *(\\w+):((?: +[0-9]+)+) *(.*)");
  private static final String COLUMNS = " {2,}";

  static List<InterruptLine> parse(String table) {
    List<InterruptLine> all = new ArrayList<>();
    for (String text : table.lines().toList()) {
      Matcher line = LINE.matcher(text);
      if (line.matches()) {
        List<Long> counts =
            Arrays.stream(line.group(2).strip().split(" +")).map(Long::valueOf).toList();
        // Of a device: chip, line and kind of trigger, handlers if it has any.
        String[] rest = line.group(3).split(COLUMNS);
        boolean device = Character.isDigit(line.group(1).charAt(0));
        String name = !device ? line.group(3) : rest.length > 2 ? rest[rest.length - 1] : "";
        all.add(new InterruptLine(line.group(1), counts, device ? rest[0] : "", name));
      }
    }
    return List.copyOf(all);
  }

  /** How often it was taken by all processors. */
  public long count() {
    return counts.stream().mapToLong(Long::longValue).sum();
  }
}
