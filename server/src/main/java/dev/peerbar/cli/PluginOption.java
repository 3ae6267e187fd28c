package dev.peerbar.cli;

import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/** Jars with more types of endpoints, which are to be known before a command line is understood. */
final class PluginOption {
  private static final String NAME = "--plugin";

  private PluginOption() {}

  /** The option, for a command that takes it wherever it stands. */
  static OptionSpec option(boolean hidden) {
    return OptionSpec.builder(NAME)
        .paramLabel("JAR")
        .type(List.class)
        .auxiliaryTypes(Path.class)
        .arity("1")
        .hidden(hidden)
        .description(
            "A jar with more endpoints to name, here or behind the endpoint's name; may be given"
                + " more than once.")
        .build();
  }

  /** The jars that a command line names, whatever else it says. */
  static List<Path> in(List<String> arguments) {
    if (arguments.stream().noneMatch(argument -> argument.startsWith(NAME))) {
      return List.of();
    }
    CommandLine anything =
        new CommandLine(CommandSpec.create().addOption(option(true)))
            .setUnmatchedArgumentsAllowed(true);
    try {
      return anything
          .parseArgs(arguments.toArray(new String[0]))
          .matchedOptionValue(NAME, List.of());
    } catch (ParameterException e) {
      // Whoever understands the whole line will say so.
      return List.of();
    }
  }
}
