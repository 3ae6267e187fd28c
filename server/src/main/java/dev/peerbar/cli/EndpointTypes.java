package dev.peerbar.cli;

import dev.peerbar.endpoint.EndpointType;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** The types of endpoints that can be served, by their names. Never changes. */
final class EndpointTypes {
  private final Map<String, FoundType> types;

  private EndpointTypes(Map<String, FoundType> types) {
    this.types = types;
  }

  /** Those on the program's class path. */
  static EndpointTypes builtIn() {
    Map<String, FoundType> found = new TreeMap<>();
    for (EndpointType type : ServiceLoader.load(EndpointType.class)) {
      found.put(type.name(), new FoundType(type.name(), type, Optional.empty()));
    }
    return new EndpointTypes(found);
  }

  /**
   * These, and those of plugins. A jar that is given twice counts once.
   *
   * @throws CommandFailedException with a sentence if a plugin cannot be used
   */
  EndpointTypes with(List<Path> jars) {
    Map<String, FoundType> all = new TreeMap<>(types);
    for (Path jar : jars) {
      Path real = PluginJar.real(jar);
      if (all.values().stream().noneMatch(type -> type.jar().equals(Optional.of(real)))) {
        PluginJar.types(jar, real).forEach(type -> add(all, type));
      }
    }
    return new EndpointTypes(all);
  }

  private static void add(Map<String, FoundType> all, FoundType type) {
    FoundType other = all.putIfAbsent(type.name(), type);
    if (other != null) {
      throw new CommandFailedException(
          "%s has an endpoint type '%s', and so has %s: one of them needs another name"
              .formatted(
                  type.jar().orElseThrow(),
                  type.name(),
                  other.jar().map(Path::toString).orElse("this program")));
    }
  }

  Optional<FoundType> find(String name) {
    return Optional.ofNullable(types.get(name));
  }

  /** In the order of their names. */
  List<FoundType> all() {
    return List.copyOf(types.values());
  }

  /** That there is no such type, and which there are. */
  String missing(String name) {
    return "there is no endpoint type '%s'; there are %s"
        .formatted(name, String.join(", ", types.keySet()));
  }
}
