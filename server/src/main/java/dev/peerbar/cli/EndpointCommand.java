package dev.peerbar.cli;

import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.server.ListenAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** {@code peerbar serve NAME}: one endpoint, of any type. */
@Command(mixinStandardHelpOptions = true)
final class EndpointCommand implements Subcommand {
  private static final String DASHES = "--";

  @Spec private CommandSpec spec;

  @ArgGroup(multiplicity = "1")
  private Place place;

  @Mixin private ServeOptions serving;
  @Mixin private TraceOption trace;

  private final FoundType type;
  private final Map<EndpointOption<?>, OptionSpec> options = new LinkedHashMap<>();

  /** Where the command line says to listen. */
  private static final class Place {
    @Option(
        names = "--socket-path",
        paramLabel = "PATH",
        description = "The UNIX socket to listen on; a stale one is replaced.")
    private Path socketPath;

    @Option(
        names = "--fd",
        paramLabel = "N",
        description = "An open UNIX socket instead, listening or connected.")
    private Integer descriptor;
  }

  private EndpointCommand(FoundType type) {
    this.type = type;
  }

  /** The command that serves a type, with the type's own options. */
  static CommandLine of(FoundType type) {
    EndpointCommand command = new EndpointCommand(type);
    CommandLine commandLine = new CommandLine(command);
    CommandSpec spec = commandLine.getCommandSpec();
    spec.name(type.name());
    spec.usageMessage().description("Serve %s.".formatted(literal(type.description())));
    spec.addOption(PluginOption.option(type.jar().isEmpty()));
    type.options().forEach(option -> command.options.put(option, describe(option)));
    command.addOptions(spec);
    return commandLine;
  }

  /** What a type cannot call its options, without dashes: options of every endpoint have it. */
  static Set<String> ownNames() {
    CommandSpec own = CommandSpec.forAnnotatedObject(new EndpointCommand(null));
    own.addOption(PluginOption.option(true));
    Set<String> names =
        own.optionsMap().keySet().stream()
            .filter(name -> name.startsWith(DASHES))
            .map(name -> name.substring(DASHES.length()))
            .collect(Collectors.toSet());
    // What a file has for the name of the command.
    names.add("type");
    return names;
  }

  private static OptionSpec describe(EndpointOption<?> option) {
    OptionSpec.Builder builder =
        OptionSpec.builder(DASHES + option.name())
            .type(option.type())
            .description(literal(option.help()));
    if (!option.label().isEmpty()) {
      builder.paramLabel(option.label()).arity("1");
    }
    option
        .syntax()
        .ifPresent(syntax -> builder.converters((OptionSyntax<?>) text -> syntax.apply(text)));
    return builder.build();
  }

  /** Help takes its texts for formats. */
  private static String literal(String text) {
    return text.replace("%", "%%");
  }

  private void addOptions(CommandSpec to) {
    Map<String, List<OptionSpec>> alternatives = new LinkedHashMap<>();
    for (EndpointOption<?> option : options.keySet()) {
      option.instead().ifPresent(other -> alternatives.put(other.name(), new ArrayList<>()));
    }
    options.forEach((option, described) -> {
      String group = option.instead().map(EndpointOption::name).orElse(option.name());
      Optional.ofNullable(alternatives.get(group))
          .ifPresentOrElse(all -> all.add(described), () -> to.addOption(described));
    });
    for (List<OptionSpec> all : alternatives.values()) {
      ArgGroupSpec.Builder group = ArgGroupSpec.builder().exclusive(true).multiplicity("0..1");
      all.forEach(group::addArg);
      to.addArgGroup(group.build());
    }
  }

  @Override
  public Integer call() {
    EndpointSpec endpoint = new EndpointSpec(type, serving, given());
    try {
      endpoint.check();
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    ListenAddress where =
        place.socketPath != null
            ? serving.at(place.socketPath)
            : new ListenAddress.Inherited(place.descriptor);
    return ServeCommand.serve(List.of(new ServeCommand.Placed(endpoint, where)), trace);
  }

  /** The options of every endpoint. */
  ServeOptions serving() {
    return serving;
  }

  /** The type's own options that stand on the command line. */
  EndpointOptions given() {
    ParseResult parsed = spec.commandLine().getParseResult();
    EndpointOptions given = EndpointOptions.NONE;
    for (Map.Entry<EndpointOption<?>, OptionSpec> option : options.entrySet()) {
      OptionSpec matched = parsed.matchedOption(option.getValue().longestName());
      if (matched != null) {
        given = given.with(option.getKey(), matched.getValue());
      }
    }
    return given;
  }
}
