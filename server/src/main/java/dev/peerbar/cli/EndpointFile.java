package dev.peerbar.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.InvalidTypeIdException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The YAML file of {@code serve --config}.
 *
 * @param endpoints to serve from one process, at least one
 */
record EndpointFile(
    @JsonProperty(value = "endpoints", required = true) List<EndpointSpec> endpoints) {
  private static final ObjectMapper YAML =
      YAMLMapper.builder().enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS).build();

  /**
   * Reads a file.
   *
   * @throws CommandFailedException with a sentence that says where it is wrong
   */
  static EndpointFile read(Path path) {
    EndpointFile file;
    try {
      file = YAML.readValue(path.toFile(), EndpointFile.class);
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
      if (endpoint == null || endpoint.socketPath() == null) {
        throw new CommandFailedException(path + ": an endpoint has no socket-path");
      }
    }
    return file;
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
      case InvalidTypeIdException unknown when unknown.getTypeId() != null ->
          "there is no endpoint type '%s'".formatted(unknown.getTypeId());
      case InvalidTypeIdException _ -> "an endpoint has no type";
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
