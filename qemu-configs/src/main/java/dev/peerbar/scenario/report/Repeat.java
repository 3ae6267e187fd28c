package dev.peerbar.scenario.report;

import dev.peerbar.lab.qemu.ShellWords;
import dev.peerbar.scenario.ScenarioResult;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * How one scenario of a run is repeated alone.
 *
 * @param scenario the words of a command that tries a scenario, by its name
 * @param seeded whether that takes a seed
 * @param options of the run that hold for each of its scenarios, such as {@code --kernel=bzImage}
 * @param viommus whether the run was told which vIOMMUs guests see
 */
public record Repeat(
    Function<String, List<String>> scenario,
    boolean seeded,
    List<String> options,
    boolean viommus) {
  public Repeat {
    options = List.copyOf(options);
  }

  /** By {@code peerbar scenarios}. */
  public static Repeat byScenarios(List<String> options, boolean viommus) {
    return new Repeat(name -> List.of("scenarios", "--only=" + name), true, options, viommus);
  }

  /**
   * A command line that a person can paste into a shell.
   *
   * @param seed of the whole run
   */
  String commandLine(ScenarioResult result, long seed) {
    // Round n with a seed is round 1 with the seed and n - 1 more.
    return Stream.of(
            Stream.of("./peerbar"),
            scenario.apply(result.scenario().name()).stream(),
            Stream.of("--topology=" + result.setting().topology()),
            viommus
                ? Stream.of("--viommu=" + result.setting().viommu().label())
                : Stream.<String>of(),
            seeded ? Stream.of("--seed=" + (seed + result.round() - 1)) : Stream.<String>of(),
            Stream.of(result.setting().kernel())
                .filter(kernel -> !kernel.isEmpty())
                .map(kernel -> "--kernel-config=" + kernel),
            options.stream())
        .flatMap(words -> words)
        .map(ShellWords::quote)
        .collect(Collectors.joining(" "));
  }
}
