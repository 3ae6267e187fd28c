package dev.peerbar.scenario.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The file {@code results.json} of a report. */
public final class ResultsFile {
  /** Its name. */
  public static final String NAME = "results.json";

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          // A newer program may say more.
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private ResultsFile() {}

  /** The results, or a comparison of some, as JSON in one line. */
  static String json(Object value) {
    try {
      return JSON.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  static void write(Path directory, Results results) throws IOException {
    Replaced.write(directory.resolve(NAME), out -> JSON.writeValue(out, results));
  }

  /**
   * Reads the results in the directory of a report.
   *
   * @throws NoReportException with a sentence if there are none that can be used
   */
  public static Results read(Path directory) throws NoReportException {
    if (!Files.isDirectory(directory)) {
      throw new NoReportException("There is no directory %s.".formatted(directory));
    }
    Path file = directory.resolve(NAME);
    if (!Files.exists(file)) {
      throw new NoReportException(
          "%s is no report: it has no %s, as 'scenarios --report=DIR' writes it."
              .formatted(directory, NAME));
    }
    try {
      JsonNode tree = JSON.readTree(file.toFile());
      JsonNode format = tree.path("format");
      if (!format.isInt()) {
        throw new NoReportException("%s is no report: it does not say its format.".formatted(file));
      }
      if (format.intValue() > Results.FORMAT) {
        throw new NoReportException(
            "%s has format %d, this program knows %d: read it with a newer one."
                .formatted(file, format.intValue(), Results.FORMAT));
      }
      return JSON.treeToValue(tree, Results.class);
    } catch (ValueInstantiationException e) {
      throw new NoReportException(
          "%s is damaged: it has no %s.".formatted(file, e.getCause().getMessage()));
    } catch (MismatchedInputException e) {
      throw new NoReportException(
          "%s is damaged: %s".formatted(file, e.getOriginalMessage().lines().findFirst().get()));
    } catch (JsonProcessingException e) {
      throw new NoReportException(
          "%s is damaged, at line %d, column %d: %s"
              .formatted(
                  file,
                  e.getLocation().getLineNr(),
                  e.getLocation().getColumnNr(),
                  e.getOriginalMessage().lines().findFirst().get()));
    } catch (IOException e) {
      throw new NoReportException("%s cannot be read: %s".formatted(file, e.getMessage()));
    }
  }
}
