package dev.peerbar.scenario.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Objects;

/**
 * What {@code results.json} has: all that there is to tell of a run, or of the part of one that has
 * been done. The names of fields are an interface: none is renamed, and what is not known is empty
 * or left out. Times are in seconds, those of a timeline in milliseconds.
 *
 * @param format {@link #FORMAT}
 * @param run when, where and how
 * @param kernels that guests had
 * @param settings in which scenarios were tried, in order
 * @param results in the order in which they came
 */
public record Results(
    int format, RunFacts run, List<Kernel> kernels, List<Setting> settings, List<Result> results) {

  /** The version of this format: one more when a reader of the last would be misled. */
  public static final int FORMAT = 1;

  public Results {
    Objects.requireNonNull(run, "run");
    kernels = listOf(kernels);
    settings = listOf(settings);
    results = listOf(results);
  }

  private static <T> List<T> listOf(List<T> list) {
    return list == null ? List.of() : List.copyOf(list);
  }

  private static String textOf(String text) {
    return text == null ? "" : text;
  }

  /**
   * A run, or a shard of one.
   *
   * @param version of the program, as far as it is known
   * @param command the arguments of the program
   * @param planned how many results there should be
   * @param began ISO 8601
   */
  public record RunFacts(
      String version,
      List<String> command,
      long seed,
      int rounds,
      int planned,
      String began,
      double seconds,
      Host host) {
    public RunFacts {
      version = textOf(version);
      command = listOf(command);
      began = textOf(began);
      host = host == null ? new Host("", 0, "", "") : host;
    }
  }

  /** The machine that served endpoints and ran guests. */
  public record Host(String name, int processors, String kernel, String jdk) {}

  /**
   * A kernel that guests had.
   *
   * @param label in settings; empty if it is the only one
   * @param release as it says itself; empty if it never came up
   * @param lacks options of {@code p2p.config}
   */
  public record Kernel(String label, String release, List<String> lacks) {
    public Kernel {
      label = textOf(label);
      release = textOf(release);
      lacks = listOf(lacks);
    }
  }

  /**
   * A setting.
   *
   * @param began ISO 8601
   * @param ended whether all its scenarios are over, and its last guest is off
   * @param problems with guests, rather than with a scenario
   * @param machine the first guest's devices
   */
  public record Setting(
      String name,
      String fixture,
      String topology,
      String viommu,
      String cpu,
      String variant,
      String kernelArguments,
      int cpus,
      String kernel,
      String began,
      boolean ended,
      List<Boot> boots,
      List<Problem> problems,
      List<Device> machine) {
    public Setting {
      Objects.requireNonNull(name, "name of a setting");
      boots = listOf(boots);
      problems = listOf(problems);
      machine = listOf(machine);
      kernel = textOf(kernel);
      variant = textOf(variant);
      kernelArguments = textOf(kernelArguments);
    }
  }

  /**
   * A guest that was booted.
   *
   * @param failure why there is none; empty if it came up
   * @param complaints from before an endpoint was touched
   * @param logs their directory, from that of the report
   */
  public record Boot(
      int number,
      double seconds,
      String release,
      String failure,
      List<String> complaints,
      String logs) {
    public Boot {
      release = textOf(release);
      failure = textOf(failure);
      complaints = listOf(complaints);
    }
  }

  /**
   * A device of a guest, as QEMU was asked for it.
   *
   * @param id empty if it has none
   * @param bus the id of what it is behind, or {@code pcie.0}
   * @param slot of a port; empty if it has none
   * @param endpoint the name by which this process served it; empty if it is QEMU's own
   */
  public record Device(
      String id, String driver, String bus, String slot, String endpoint, List<Bar> bars) {
    public Device {
      bars = listOf(bars);
    }
  }

  /** A BAR, its size in bytes. */
  public record Bar(int index, long size, boolean memory) {}

  /** What came of a scenario. */
  public enum Outcome {
    @JsonProperty("passed")
    PASSED,
    @JsonProperty("failed")
    FAILED,
    @JsonProperty("skipped")
    SKIPPED
  }

  /**
   * One scenario that was tried once, or skipped.
   *
   * @param setting its name
   * @param text what was seen, or the reason of a skip
   * @param problems why it failed, that of the scenario itself first
   * @param evidence of a failure
   * @param logs the directory of its guest's, from that of the report; empty if it did not fail
   * @param subtests those that a program made for it; left out if it ran none
   * @param repeat a command line that tries it again alone
   */
  public record Result(
      String setting,
      String scenario,
      String does,
      String expects,
      int round,
      long seed,
      Outcome outcome,
      String text,
      List<Problem> problems,
      Evidence evidence,
      String logs,
      double seconds,
      List<Measure> measures,
      List<Route> routes,
      @JsonInclude(JsonInclude.Include.NON_EMPTY) List<Subtest> subtests,
      Timeline timeline,
      String repeat) {
    public Result {
      Objects.requireNonNull(setting, "setting of a result");
      Objects.requireNonNull(scenario, "scenario of a result");
      Objects.requireNonNull(outcome, "outcome of a result");
      text = textOf(text);
      problems = listOf(problems);
      evidence = evidence == null ? new Evidence(List.of(), List.of(), List.of()) : evidence;
      logs = textOf(logs);
      measures = listOf(measures);
      routes = listOf(routes);
      subtests = listOf(subtests);
      timeline = timeline == null ? new Timeline(List.of(), 0) : timeline;
      if (outcome == Outcome.FAILED && problems.isEmpty()) {
        throw new IllegalArgumentException("problem of a failure");
      }
    }

    /** What comes before the last dot of its name. */
    String family() {
      return scenario.substring(0, Math.max(0, scenario.lastIndexOf('.')));
    }
  }

  /**
   * A test that a program made.
   *
   * @param text why it was skipped, or what it said before it failed; or empty
   */
  public record Subtest(String name, Outcome outcome, String text) {
    public Subtest {
      Objects.requireNonNull(name, "name of a subtest");
      Objects.requireNonNull(outcome, "outcome of a subtest");
      text = textOf(text);
    }
  }

  /** A reason of a failure. */
  public record Problem(String kind, String words, String text) {}

  /** What was seen around a failure, a line each, oldest first. */
  public record Evidence(List<String> calls, List<String> hung, List<String> messages) {
    public Evidence {
      calls = listOf(calls);
      hung = listOf(hung);
      messages = listOf(messages);
    }
  }

  /** A time or a count. */
  public record Measure(String name, double value, String unit) {
    public Measure {
      Objects.requireNonNull(name, "name of a measure");
      unit = textOf(unit);
    }
  }

  /** A way of peer-to-peer DMA that was tried. */
  public record Route(String from, String to, String path, boolean allowed) {}

  /** What happened meanwhile; how many events there were more. */
  public record Timeline(List<Event> events, long dropped) {
    public Timeline {
      events = listOf(events);
    }
  }

  /** Something that happened; {@code times} is left out if it is 0, for once. */
  @JsonInclude(JsonInclude.Include.NON_DEFAULT)
  public record Event(
      String lane, String kind, double at, double took, long times, boolean failed, String text) {}
}
