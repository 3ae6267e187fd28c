package dev.peerbar.server.fault;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * What a running endpoint answers a {@link FaultRequest}. Exactly one of the three.
 *
 * @param done what came of it, in words
 * @param faults those in force, as {@link FaultText} has them
 * @param error a sentence on why nothing was done
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record FaultAnswer(
    @JsonProperty("done") String done,
    @JsonProperty("faults") List<String> faults,
    @JsonProperty("error") String error) {

  static FaultAnswer of(String done) {
    return new FaultAnswer(done, null, null);
  }

  static FaultAnswer of(List<String> faults) {
    return new FaultAnswer(null, faults, null);
  }

  /** Nothing was done. */
  public static FaultAnswer refusal(String sentence) {
    return new FaultAnswer(null, null, sentence);
  }
}
