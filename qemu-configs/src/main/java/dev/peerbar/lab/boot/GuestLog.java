package dev.peerbar.lab.boot;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Judges what the guest's kernel and QEMU printed: nothing of it may be an error, a warning or a
 * BUG.
 *
 * <p>A kernel line is bad if its level is warning or worse, where the level is known, or if its
 * words are those of an error. Every line of QEMU is bad: it prints nothing when all is well.
 */
public final class GuestLog {
  private static final int LEVEL_WARNING = 4;

  private static final Pattern LEVEL = Pattern.compile("^<(\\d+)>(.*)$");

  private static final Pattern BAD =
      Pattern.compile(
          "\\bWARN(ING)?\\b|\\bBUG\\b|\\bOops\\b|cut here|[Cc]all [Tt]race|\\b[Ee]rrors?\\b|\\bERROR\\b|panic"
              + "|\\bRIP:|general protection|segfault|blocked for more than|soft lockup|detected stall"
              + "|self-detected stall|DMAR:.*fault|IO_PAGE_FAULT|[Tt]ainted:");

  /** Lines that a healthy boot under QEMU prints. */
  private static final List<Pattern> HARMLESS =
      List.of(
          // The PIT's and the TSC's time drift apart while TCG translates code; the kernel takes
          // the HPET instead.
          Pattern.compile("tsc: Unable to calibrate against PIT"),
          Pattern.compile("tsc: PIT calibration deviates from (HPET|PMTIMER): \\d+ \\d+$"),
          Pattern.compile("APIC calibration not consistent with PM-Timer: \\d+ms instead of 100ms"),
          // One interrupt handler that the host's scheduler held up.
          Pattern.compile("hrtimer: interrupt took \\d+ ns"),
          // The same drift seen later: by the clock watchdog, on a host that is busy.
          Pattern.compile("clocksource: .*(read timed out|read-back delay|skewed|wd-tsc-wd)"),
          Pattern.compile("clocksource: Long readout interval"),
          Pattern.compile("clocksource: Marking clocksource tsc(-early)? unstable due to"),
          Pattern.compile("clocksource: +(Watchdog +hpet|Clocksource +tsc(-early)?) interval: "),
          Pattern.compile("tsc: Marking TSC unstable due to clocksource watchdog"),
          Pattern.compile("TSC found unstable after boot"),
          // An interrupt of a vector's former owner, which waited in a CPU that the host did not
          // let
          // run while the kernel freed the vector and gave it to the next. No device can send one:
          // the former owner was masked first.
          Pattern.compile("irq \\d+, desc: [0-9a-f]+, depth: 1, count: 0, unhandled: 0$"),
          Pattern.compile("->handle_irq\\(\\): +[0-9a-f]+, handle_bad_irq\\+0x0/0x[0-9a-f]+$"),
          Pattern.compile("->irq_data.chip\\(\\): [0-9a-f]+, "),
          Pattern.compile("->action\\(\\): 0+$"),
          Pattern.compile("\\] +IRQ_(NOREQUEST|NOPROBE|LEVEL) set$|\\] +IRQS_PENDING set$"),
          Pattern.compile("unexpected IRQ trap at vector [0-9a-f]+$"),
          // Not a complaint: the kernel says at warning level that it resets a function, as it was
          // told to.
          Pattern.compile(" [0-9a-f:.]+: (resetting|reset done)$"),
          // What ioatdma says, as an error, whenever it is unbound.
          Pattern.compile("ioatdma [0-9a-f:.]+: Removing dma and dca services$"),
          // A virtio-iommu isolates no interrupts: the command line says that it need not.
          Pattern.compile("MSI interrupts are not secure, they cannot be isolated by the platform"),
          // The way to reset a function that has no FLR, such as QEMU's edu.
          Pattern.compile("pcieport .*: unlocked secondary bus reset via"),
          // A mark of the lab's own, whatever words are in the name of what it marks.
          Pattern.compile("peerbar lab \\d+: "),
          // The command line asks for this: the guest reboots, and QEMU ends, on a panic. It names
          // no panic.
          Pattern.compile("ommand line: .* panic=-1 "));

  private GuestLog() {}

  /** The bad lines of a kernel log, with or without levels, as they are. */
  public static List<String> badKernelLines(String log) {
    List<String> bad = new ArrayList<>();
    int level = Integer.MAX_VALUE;
    for (String raw : log.lines().toList()) {
      Matcher m = LEVEL.matcher(raw);
      String text = raw;
      // A line without a level continues the message before it.
      if (m.matches()) {
        level = Integer.parseInt(m.group(1)) & 7;
        text = m.group(2);
      }
      String line = text;
      boolean isBad = level <= LEVEL_WARNING || BAD.matcher(line).find();
      if (isBad && HARMLESS.stream().noneMatch(h -> h.matcher(line).find())) {
        bad.add(line.stripTrailing());
      }
    }
    return List.copyOf(bad);
  }

  /** The bad lines of QEMU's own output. */
  public static List<String> badQemuLines(String output) {
    return output.lines().map(String::strip).filter(l -> !l.isEmpty()).toList();
  }
}
