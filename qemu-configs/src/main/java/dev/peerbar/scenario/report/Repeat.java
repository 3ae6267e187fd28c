package dev.peerbar.scenario.report;

import dev.peerbar.lab.qemu.ShellWords;
import dev.peerbar.scenario.ScenarioResult;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * How one scenario of a run is repeated alone.
 *
 * @param options of the run that hold for each of its scenarios, such as {@code --kernel=bzImage}
 * @param viommus whether the run was told which vIOMMUs guests see
 */
public record Repeat(List<String> options, boolean viommus) {
  public Repeat {
    options = List.copyOf(options);
  }

  /** Of a run with the vIOMMUs that suit. */
  public Repeat(List<String> options) {
    this(options, false);
  }

  /**
   * A command line that a person can paste into a shell.
   *
   * @param seed of the whole run
   */
  String commandLine(ScenarioResult result, long seed) {
    // Round n with a seed is round 1 with the seed and n - 1 more.
    return Stream.of(
            Stream.of(
                "./peerbar",
                "scenarios",
                "--only=" + result.scenario().name(),
                "--topology=" + result.setting().topology()),
            viommus
                ? Stream.of("--viommu=" + result.setting().viommu().label())
                : Stream.<String>of(),
            Stream.of("--seed=" + (seed + result.round() - 1)),
            Stream.of(result.setting().kernel())
                .filter(kernel -> !kernel.isEmpty())
                .map(kernel -> "--kernel-config=" + kernel),
            options.stream())
        .flatMap(words -> words)
        .map(ShellWords::quote)
        .collect(Collectors.joining(" "));
  }
}
