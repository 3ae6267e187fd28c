package dev.peerbar.server.fault;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.peerbar.server.TimeText;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * What is asked of a running endpoint: to have a fault, to have none any more, or to say which it
 * has. Exactly one of the three.
 *
 * @param inject a fault as {@link FaultText} has it
 * @param lasting its time, as {@link TimeText} has it
 * @param times its number of occasions, from 1
 * @param clear whether to end all of them
 * @param list whether to say which there are
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record FaultRequest(
    @JsonProperty("inject") String inject,
    @JsonProperty("for") String lasting,
    @JsonProperty("times") Integer times,
    @JsonProperty("clear") boolean clear,
    @JsonProperty("list") boolean list) {

  /** Where it is asked, of an endpoint that is served at a path. */
  public static Path socketOf(Path endpoint) {
    return endpoint.resolveSibling(endpoint.getFileName() + ".inject");
  }

  /** A fault. */
  public static FaultRequest inject(String fault, String lasting, Integer times) {
    return new FaultRequest(fault, lasting, times, false, false);
  }

  /** The end of all faults. */
  public static FaultRequest clearing() {
    return new FaultRequest(null, null, null, true, false);
  }

  /** Which faults there are. */
  public static FaultRequest listing() {
    return new FaultRequest(null, null, null, false, true);
  }

  /**
   * Does what is asked.
   *
   * @throws IllegalArgumentException with a sentence if it makes no sense; nothing is done then
   */
  public CompletableFuture<FaultAnswer> askOf(Faults faults) {
    int asked = (inject == null ? 0 : 1) + (clear ? 1 : 0) + (list ? 1 : 0);
    if (asked != 1) {
      throw new IllegalArgumentException("ask for one of inject, clear and list");
    }
    if (inject == null && (lasting != null || times != null)) {
      throw new IllegalArgumentException("a time and a number of times are a fault's to have");
    }
    if (clear) {
      return faults.clear().thenApply(_ -> FaultAnswer.of("cleared"));
    }
    if (list) {
      return faults
          .inForce()
          .thenApply(all -> FaultAnswer.of(all.stream().map(FaultText::of).toList()));
    }
    return faults
        .inject(
            FaultText.parse(inject),
            Optional.ofNullable(lasting).map(FaultRequest::time),
            times == null ? Faults.ALWAYS : times)
        .thenApply(FaultAnswer::of);
  }

  private static Duration time(String text) {
    Duration time = TimeText.parse(text);
    if (time.isZero() || time.compareTo(Fault.LONGEST) > 0) {
      throw new IllegalArgumentException("a fault lasts up to 1 hour, not " + text);
    }
    return time;
  }
}
