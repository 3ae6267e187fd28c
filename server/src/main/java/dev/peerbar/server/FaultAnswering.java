package dev.peerbar.server;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.peerbar.server.fault.FaultAnswer;
import dev.peerbar.server.fault.FaultRequest;
import dev.peerbar.server.fault.Faults;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes {@link FaultRequest}s: a line of JSON each, and one back.
 *
 * @param name of the endpoint
 */
record FaultAnswering(String name, Faults faults) implements LineSocket.Answering {
  private static final Logger log = LoggerFactory.getLogger(FaultAnswering.class);

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .build();

  @Override
  public CompletableFuture<byte[]> answer(byte[] line) {
    return ask(line).thenApply(FaultAnswering::line);
  }

  @Override
  public byte[] refusal(String sentence) {
    return line(FaultAnswer.refusal(sentence));
  }

  private static byte[] line(FaultAnswer answer) {
    try {
      return (JSON.writeValueAsString(answer) + "\n").getBytes(StandardCharsets.UTF_8);
    } catch (JsonProcessingException e) {
      throw new AssertionError("an answer is text", e);
    }
  }

  private CompletableFuture<FaultAnswer> ask(byte[] line) {
    try {
      FaultRequest request = JSON.readValue(line, FaultRequest.class);
      if (request == null) {
        throw new IllegalArgumentException("ask for one of inject, clear and list");
      }
      CompletableFuture<FaultAnswer> answer = request.askOf(faults);
      log.info("{}: asked for faults, {}", name, request);
      return answer;
    } catch (IllegalArgumentException e) {
      return CompletableFuture.completedFuture(FaultAnswer.refusal(e.getMessage()));
    } catch (IOException e) {
      return CompletableFuture.completedFuture(
          FaultAnswer.refusal(
              "not a request: one line of JSON with inject (and for, times), clear or list"));
    }
  }
}
