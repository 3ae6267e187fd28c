package dev.peerbar.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The YAML file of {@code serve --config}.
 *
 * @param endpoints to serve from one process, at least one
 * @param plugins jars with types of endpoints, relative to the file's folder; may be null
 */
record EndpointFile(
    @JsonProperty(value = "endpoints", required = true) List<EndpointSpec> endpoints,
    @JsonProperty("plugins") List<Path> plugins) {
  private static final ObjectMapper YAML =
      YAMLMapper.builder().enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS).build();

  /** What is to be known before the types of the endpoints are. */
  private record Plugins(@JsonProperty("plugins") List<Path> plugins) {}

  /**
   * Reads a file.
   *
   * @param types that there are, besides those of the file's own plugins
   * @throws CommandFailedException with a sentence that says where it is wrong
   */
  static EndpointFile read(Path path, EndpointTypes types) {
    EndpointFile file;
    try (InputStream in = new FileInputStream(path.toFile())) {
      byte[] content = in.readAllBytes();
      file =
          YAML.readerFor(EndpointFile.class)
              .withAttribute(EndpointTypes.class, types.with(plugins(path, content)))
              .readValue(content);
    } catch (JsonProcessingException e) {
      String where =
          e.getLocation() == null ? "" : " (line %d)".formatted(e.getLocation().getLineNr());
      throw new CommandFailedException("%s%s: %s".formatted(path, where, sentence(e)), e);
    } catch (NoSuchFileException | FileNotFoundException e) {
      throw new CommandFailedException("there is no file " + path, e);
    } catch (IOException e) {
      throw new CommandFailedException("%s cannot be read: %s".formatted(path, e.getMessage()), e);
    }
    if (file == null || file.endpoints() == null || file.endpoints().isEmpty()) {
      throw new CommandFailedException(path + " lists no endpoints");
    }
    for (EndpointSpec endpoint : file.endpoints()) {
      // Jackson asks neither for list elements nor for fields.
      if (endpoint == null || endpoint.serving().socketPath() == null) {
        throw new CommandFailedException(path + ": an endpoint has no socket-path");
      }
    }
    return file;
  }

  private static List<Path> plugins(Path path, byte[] content) throws IOException {
    Plugins listed =
        YAML.readerFor(Plugins.class)
            .without(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .readValue(content);
    if (listed == null || listed.plugins == null) {
      return List.of();
    }
    if (listed.plugins.contains(null)) {
      throw new CommandFailedException(path + ": a plugin has no path");
    }
    return listed.plugins.stream().map(path::resolveSibling).toList();
  }

  private static String sentence(JsonProcessingException e) {
    return switch (e) {
      case UnrecognizedPropertyException unknown ->
          "there is no option '%s'; there are %s"
              .formatted(
                  unknown.getPropertyName(),
                  unknown.getKnownPropertyIds().stream()
                      .map(Object::toString)
                      .sorted()
                      .collect(Collectors.joining(", ")));
      case InvalidFormatException bad -> "'%s' does not belong there".formatted(bad.getValue());
      case MismatchedInputException _ when e.getMessage().startsWith("Cannot deserialize") ->
          "what stands there is not of the form that belongs there";
      default -> oneLine(e.getOriginalMessage());
    };
  }

  /** Without the excerpts of the file that a YAML error shows, indented, between its sentences. */
  private static String oneLine(String message) {
    return message
        .lines()
        .filter(line -> !line.isBlank() && !line.startsWith(" "))
        .collect(Collectors.joining(", "));
  }
}
