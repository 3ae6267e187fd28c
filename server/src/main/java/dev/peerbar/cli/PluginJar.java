package dev.peerbar.cli;

import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointType;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.zip.ZipException;

/**
 * A jar with types of endpoints. Its classes see those of the program and its own, and stay loaded
 * as long as the process lives.
 */
final class PluginJar {
  private static final String SERVICE = EndpointType.class.getName();
  private static final String LIST = "META-INF/services/" + SERVICE;
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9-]*");

  private final Path jar;

  private PluginJar(Path jar) {
    this.jar = jar;
  }

  /**
   * The path of a jar, however the way there is written.
   *
   * @throws CommandFailedException with a sentence if there is none
   */
  static Path real(Path jar) {
    try {
      return jar.toRealPath();
    } catch (IOException e) {
      throw new CommandFailedException("there is no plugin " + jar, e);
    }
  }

  /**
   * The types that a jar lists.
   *
   * @param jar as people wrote it
   * @param real its {@link #real} path
   * @throws CommandFailedException with a sentence if it cannot be used
   */
  static List<FoundType> types(Path jar, Path real) {
    PluginJar plugin = new PluginJar(jar);
    plugin.checkListed();
    List<FoundType> types =
        plugin.instances(real).stream().map(type -> plugin.checked(type, real)).toList();
    if (types.isEmpty()) {
      throw plugin.hasNone();
    }
    return types;
  }

  private CommandFailedException hasNone() {
    return new CommandFailedException(
        "the plugin %s has no endpoint: its %s names no class of its own".formatted(jar, LIST));
  }

  private void checkListed() {
    if (Files.isDirectory(jar)) {
      throw new CommandFailedException("the plugin %s is a folder, not a jar".formatted(jar));
    }
    try (JarFile file = new JarFile(jar.toFile())) {
      if (file.getEntry(LIST) == null) {
        throw hasNone();
      }
    } catch (ZipException e) {
      throw new CommandFailedException("the plugin %s is not a jar".formatted(jar), e);
    } catch (IOException e) {
      throw new CommandFailedException(
          "the plugin %s cannot be read: %s".formatted(jar, e.getMessage()), e);
    }
  }

  private List<EndpointType> instances(Path real) {
    URLClassLoader loader =
        new URLClassLoader(new URL[] {url(real)}, EndpointType.class.getClassLoader());
    List<EndpointType> types = new ArrayList<>();
    try {
      ServiceLoader.load(EndpointType.class, loader).stream()
          // The program's own are found on the way.
          .filter(provider -> provider.type().getClassLoader() == loader)
          .forEach(provider -> types.add(provider.get()));
    } catch (UnsupportedClassVersionError e) {
      int version = Runtime.version().feature();
      throw new CommandFailedException(
          "the plugin %s is compiled for a newer Java than %d: compile it with --release %d"
              .formatted(jar, version, version),
          e);
    } catch (ServiceConfigurationError e) {
      String what = e.getMessage().replace(SERVICE + ": ", "");
      throw unusable(
          e.getCause() == null ? what : "%s: %s".formatted(what, FoundType.where(e.getCause())), e);
    } catch (LinkageError e) {
      throw unusable(FoundType.where(e), e);
    }
    return types;
  }

  private static URL url(Path path) {
    try {
      return path.toUri().toURL();
    } catch (MalformedURLException e) {
      throw new AssertionError("every file has a URL", e);
    }
  }

  private FoundType checked(EndpointType type, Path real) {
    try {
      FoundType found = new FoundType(type.name(), type, Optional.of(real));
      String problem = problem(found);
      if (problem != null) {
        throw unusable("%s %s".formatted(type.getClass().getName(), problem), null);
      }
      return found;
    } catch (CommandFailedException e) {
      throw e;
    } catch (RuntimeException | LinkageError e) {
      throw unusable(FoundType.where(e), e);
    }
  }

  /** What a type says of itself that cannot be, or null. */
  private static String problem(FoundType type) {
    if (type.name() == null || !NAME.matcher(type.name()).matches()) {
      return "is called '%s', which is not of lower-case letters, digits and -"
          .formatted(type.name());
    }
    if (type.description() == null || type.options() == null) {
      return "has no description, or null for options";
    }
    Set<String> names = new HashSet<>(EndpointCommand.ownNames());
    for (EndpointOption<?> option : type.options()) {
      if (!NAME.matcher(option.name()).matches()) {
        return "has an option '%s', which is not of lower-case letters, digits and -"
            .formatted(option.name());
      }
      if (!names.add(option.name())) {
        return "has an option '%s', which there is already".formatted(option.name());
      }
    }
    return null;
  }

  private CommandFailedException unusable(String why, Throwable cause) {
    return new CommandFailedException(
        "the plugin %s cannot be used: %s".formatted(jar, why), cause);
  }
}
