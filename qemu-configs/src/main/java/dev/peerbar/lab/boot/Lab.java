package dev.peerbar.lab.boot;

import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestAgent;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.KernelLogMark;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.lab.qemu.Qemu;
import dev.peerbar.lab.qemu.VirtualMachine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A booted guest: QEMU, the agent's connection, the logs. Closing it ends QEMU whatever state it is
 * in.
 *
 * <p>The logs are {@code qemu.log}, {@code console.log}, {@code kernel.log} and {@code qemu.args}
 * in a directory that is the caller's to keep or remove.
 */
public final class Lab implements AutoCloseable {
  /** How long a guest may take to boot: 2 s under TCG on an idle machine. */
  private static final Duration BOOT = Duration.ofSeconds(120);

  private static final Duration POWER_OFF = Duration.ofSeconds(60);
  private static final String KERNEL_LOG = "kernel.log";

  /** What the nvme driver says of each controller with memory if there is no P2PDMA. */
  private static final Pattern NO_PEER_MEMORY =
      Pattern.compile("nvme nvme\\d+: failed to register the CMB$");

  private final LabFiles files;
  private final VirtualMachine machine;
  private final Qemu qemu;
  private final Path run;
  private GuestAgent agent;
  private volatile Guest guest;
  private final List<Predicate<String>> expected = new ArrayList<>();
  private final Mark booted;
  private List<Complaint> bootComplaints = List.of();
  private final KernelOptions kernelOptions;
  private boolean off;

  private Lab(
      LabFiles files,
      VirtualMachine machine,
      KernelOptions options,
      Qemu qemu,
      Path run,
      GuestAgent agent)
      throws IOException {
    this.files = files;
    this.machine = machine;
    this.qemu = qemu;
    this.run = run;
    this.agent = agent;
    guest = new Guest(new GuestSystem(agent));
    booted = mark("the guest is up");
    kernelOptions = options.orOf(files, guest);
    if (!kernelOptions.missing(KernelNeed.P2PDMA).isEmpty()) {
      expect(line -> NO_PEER_MEMORY.matcher(line).find());
    }
    bootComplaints = saidAtBoot();
    BootFailure.unlessModulesLoaded(bootComplaints);
  }

  /**
   * Starts QEMU and waits for the guest's agent.
   *
   * @param logs where the logs go; made if it is not there
   * @throws KernelLacksException if the kernel's configuration has not got what every guest needs
   * @throws dev.peerbar.lab.qemu.QemuEndedException if QEMU ends, as with a kernel that it cannot
   *     load
   * @throws IOException if the guest does not come up; the logs say why
   */
  public static Lab boot(LabFiles files, VirtualMachine machine, Path logs) throws IOException {
    KernelOptions options = KernelOptions.of(files);
    KernelLacksException.unlessThere(options, Set.of(KernelNeed.BOOT));
    Files.createDirectories(logs);
    // A directory of its own: socket paths are limited to 107 bytes, the logs' path is not.
    Path run = Files.createTempDirectory("peerbar-");
    Qemu qemu = null;
    GuestAgent agent = null;
    try {
      qemu =
          Qemu.start(
              machine.commandLine(files, run, logs.toAbsolutePath()),
              files.qemu().environment(),
              machine.interactive(),
              run,
              logs);
      agent = connect(qemu, options);
      return new Lab(files, machine, options, qemu, run, agent);
    } catch (IOException | RuntimeException e) {
      if (agent != null) {
        agent.close();
      }
      if (qemu != null) {
        qemu.close();
      }
      delete(run);
      throw e;
    }
  }

  private static GuestAgent connect(Qemu qemu, KernelOptions options) throws IOException {
    try {
      return GuestAgent.connect(qemu.agentSocket(), BOOT, qemu::isAlive);
    } catch (IOException e) {
      throw new BootFailure(qemu, options).explain(qemu.unreachable(e));
    }
  }

  public Guest guest() {
    return guest;
  }

  public Qemu qemu() {
    return qemu;
  }

  /** What it was made of. */
  public LabFiles files() {
    return files;
  }

  /** As it was started. */
  public VirtualMachine machine() {
    return machine;
  }

  /**
   * Waits until the agent of a guest that boots again answers: nothing of {@link #guest} as it was
   * is of any use then. What the kernel says of its new boot is judged like all that it says later.
   *
   * @throws IOException if the guest does not come up
   */
  public void awaitReboot() throws IOException {
    agent.close();
    agent = connect(qemu, kernelOptions);
    guest = new Guest(new GuestSystem(agent));
  }

  /** Which options of {@code kernel/p2p.config} the guest's kernel has. */
  public KernelOptions kernelOptions() {
    return kernelOptions;
  }

  public Path logs() {
    return qemu.logs();
  }

  /** A line that should not be there. */
  public record Complaint(String log, String line) {
    @Override
    public String toString() {
      return log + ": " + line;
    }
  }

  /**
   * What the guest's kernel and QEMU complained about while the guest came up: the boot's own
   * result, of which nothing is repeated by {@link #complaints}.
   */
  public List<Complaint> bootComplaints() {
    return bootComplaints;
  }

  /**
   * What the guest's kernel and QEMU have complained about since the guest is up; empty if all is
   * well. Also writes the kernel's log into the log directory.
   */
  public List<Complaint> complaints() throws IOException {
    return booted.since();
  }

  /** Takes lines that a scenario provokes out of what there is to complain about, from now on. */
  public void expect(Predicate<String> line) {
    expected.add(line);
  }

  /** Whether a line of a log is nothing to complain about here, whatever its words. */
  public boolean expects(String line) {
    return expected.stream().anyMatch(known -> known.test(line));
  }

  /**
   * Marks a moment, to see later what was complained about since.
   *
   * @param what a word on it for the kernel's log, which will show it
   */
  public Mark mark(String what) throws IOException {
    return new Mark(guest.markKernelLog(what), qemu.saidSoFar());
  }

  /** A moment in the logs of the kernel and of QEMU. */
  public final class Mark {
    private final KernelLogMark kernel;
    private final long qemuOffset;

    private Mark(KernelLogMark kernel, long qemuOffset) {
      this.kernel = kernel;
      this.qemuOffset = qemuOffset;
    }

    /**
     * What the guest's kernel and QEMU have complained about since. Also writes the kernel's log
     * into the log directory. Can be called when the guest has turned itself off, too.
     */
    public List<Complaint> since() throws IOException {
      return until(Optional.empty(), off);
    }

    /**
     * As {@link #since}, but by the console alone, which shows no levels: for a guest that does not
     * answer any more.
     */
    public List<Complaint> sinceByConsole() throws IOException {
      return until(Optional.empty(), true);
    }

    /** As {@link #since}, but only what came before a later mark. */
    public List<Complaint> until(Mark end) throws IOException {
      return until(Optional.of(end), off);
    }

    private List<Complaint> until(Optional<Mark> end, boolean byConsole) throws IOException {
      // First, for QEMU answers the kernel's accesses: what it says of one is said by then.
      String qemuSaid = qemu.said(qemuOffset, end.map(e -> e.qemuOffset));
      List<Complaint> all = new ArrayList<>();
      if (byConsole) {
        addUnknown(all, Qemu.CONSOLE_LOG, between(qemu.console(), end));
      } else {
        List<String> log = keptKernelLog();
        if (kernel.in(log).isEmpty()) {
          // So much was logged that the kernel has forgotten the mark; the console has it all.
          addUnknown(all, Qemu.CONSOLE_LOG, between(qemu.console(), end));
        }
        addUnknown(all, KERNEL_LOG, between(log, end));
      }
      GuestLog.badQemuLines(qemuSaid).forEach(l -> all.add(new Complaint(Qemu.QEMU_LOG, l)));
      return unexpected(all);
    }

    private List<String> between(List<String> log, Optional<Mark> end) {
      List<String> before = end.map(e -> e.before(log)).orElse(log);
      return before.subList(kernel.in(before).orElse(-1) + 1, before.size());
    }

    private List<String> before(List<String> log) {
      return log.subList(0, kernel.in(log).orElse(log.size()));
    }
  }

  private List<Complaint> saidAtBoot() throws IOException {
    List<Complaint> all = new ArrayList<>();
    addUnknown(all, KERNEL_LOG, booted.before(keptKernelLog()));
    byte[] said = Files.readAllBytes(logs().resolve(Qemu.QEMU_LOG));
    GuestLog.badQemuLines(new String(said, 0, (int) booted.qemuOffset, StandardCharsets.UTF_8))
        .forEach(l -> all.add(new Complaint(Qemu.QEMU_LOG, l)));
    return unexpected(all);
  }

  private List<Complaint> unexpected(List<Complaint> all) {
    return all.stream().filter(complaint -> !expects(complaint.line())).toList();
  }

  private List<String> keptKernelLog() throws IOException {
    String log = guest.system().kernelLog();
    Files.writeString(logs().resolve(KERNEL_LOG), log);
    return log.lines().toList();
  }

  // What two logs show is said once, and what the boot said is the boot's.
  private void addUnknown(List<Complaint> all, String log, List<String> lines) {
    GuestLog.badKernelLines(String.join("\n", lines)).stream()
        .filter(line ->
            Stream.concat(bootComplaints.stream(), all.stream())
                .noneMatch(known -> known.line().equals(line)))
        .map(line -> new Complaint(log, line))
        .toList()
        .forEach(all::add);
  }

  /**
   * Turns the guest off and waits for QEMU to end; what was complained about since the guest is up,
   * to the last line.
   */
  public List<Complaint> powerOff() throws IOException {
    return powerOff(booted);
  }

  /** As {@link #powerOff()}, but with what was complained about since a mark. */
  public List<Complaint> powerOff(Mark since) throws IOException {
    List<Complaint> all = new ArrayList<>(since.since());
    if (!off) {
      guest.system().powerOff();
      off = true;
      agent.close();
      if (!qemu.awaitEnd(POWER_OFF)) {
        all.add(new Complaint(Qemu.QEMU_LOG, "QEMU did not end when the guest turned itself off"));
      }
      // What both logs show is said once, by the kernel log with its levels.
      since.since().stream()
          .filter(c -> all.stream().noneMatch(known -> known.line().equals(c.line())))
          .forEach(all::add);
    }
    return List.copyOf(all);
  }

  @Override
  public void close() throws IOException {
    off = true;
    try {
      agent.close();
    } finally {
      qemu.close();
      delete(run);
    }
  }

  /** Removes a directory with all that is in it, such as that of logs that nobody needs. */
  public static void delete(Path directory) throws IOException {
    try (Stream<Path> walk = Files.walk(directory)) {
      walk.sorted(Comparator.reverseOrder())
          .forEach(p -> {
            try {
              Files.deleteIfExists(p);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
