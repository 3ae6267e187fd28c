package dev.peerbar.server.trace;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.peerbar.server.events.InterruptEvent;
import dev.peerbar.server.events.MessageEvent;
import dev.peerbar.server.events.ResetEvent;
import dev.peerbar.server.events.TraceEvent;
import dev.peerbar.server.events.TransferEvent;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.util.HashMap;
import java.util.Map;

/**
 * The JSON array of the Trace Event Format: a process for each function, with a track for what its
 * thread does and one for each engine. Readers take the array without its closing bracket too.
 *
 * <p>Complete events of a track must lie apart or inside each other, and those of one thread do: a
 * request and the reset that it sets off, the transfers of an engine. But a reply may still be on
 * its way out when the next request begins; its request is then drawn only until the reply was
 * ready. Requests of the function, of which several are under way at a time, are asynchronous
 * events, which need no track.
 */
final class TraceFormat {
  private static final String REQUESTS = "requests";
  private static final int NANOS_OF_MICRO_DIGITS = 3;

  private final JsonGenerator json;
  private final long origin;
  private final Map<String, Process> processes = new HashMap<>();
  // Unique among both, which not every reader needs but none minds.
  private int lastNumber;
  private long lastAsynchronous;

  /** A function. */
  private final class Process {
    private final int number = ++lastNumber;
    private final Map<String, Integer> tracks = new HashMap<>();
  }

  /**
   * @param origin the time that the trace counts from, as {@link System#nanoTime} says it
   */
  TraceFormat(OutputStream out, long origin) throws IOException {
    this.json = new JsonFactory().createGenerator(out);
    this.origin = origin;
    json.writeStartArray();
  }

  void write(TraceEvent event) throws IOException {
    switch (event) {
      case MessageEvent message
          when message.direction() == MessageEvent.Direction.SERVER_TO_CLIENT ->
          exchange(message);
      case MessageEvent message -> request(message);
      case TransferEvent transfer -> transfer(transfer);
      case ResetEvent reset -> reset(reset);
      case InterruptEvent interrupt -> interrupt(interrupt);
    }
  }

  /** Says that something is missing here. */
  void gap(long lost, long at) throws IOException {
    json.writeStartObject();
    json.writeStringField("name", "events lost");
    json.writeStringField("cat", "trace");
    json.writeStringField("ph", "i");
    json.writeStringField("s", "g");
    number("ts", at - origin);
    json.writeNumberField("pid", 0);
    json.writeNumberField("tid", 0);
    json.writeObjectFieldStart("args");
    json.writeNumberField("events", lost);
    endWithArguments();
  }

  /** Brings everything so far to the stream. */
  void flush() throws IOException {
    json.flush();
  }

  /** Ends the array. */
  void end() throws IOException {
    json.writeEndArray();
    json.writeRaw('\n');
    json.flush();
  }

  private void request(MessageEvent message) throws IOException {
    complete(
        message,
        message.command(),
        "message",
        REQUESTS,
        message.overtaken() ? message.whenHandled() : message.ended());
    message(message);
    json.writeBooleanField("replied", message.replied());
    endWithArguments();
  }

  private void exchange(MessageEvent message) throws IOException {
    String id = hex(++lastAsynchronous);
    begin(message, "b", message.command(), "bus message", REQUESTS, message.began());
    json.writeStringField("id", id);
    json.writeObjectFieldStart("args");
    json.writeStringField("iova", hex(message.address()));
    message(message);
    json.writeBooleanField("replied", message.replied());
    endWithArguments();
    begin(message, "e", message.command(), "bus message", REQUESTS, message.ended());
    json.writeStringField("id", id);
    end(json);
  }

  private void message(MessageEvent message) throws IOException {
    json.writeNumberField("id", message.id());
    json.writeNumberField("bytes received", message.bytesReceived());
    json.writeNumberField("bytes sent", message.bytesSent());
    json.writeNumberField("descriptors received", message.descriptorsReceived());
    json.writeNumberField("descriptors sent", message.descriptorsSent());
    if (message.errno() != null) {
      json.writeStringField("errno", message.errno());
    }
  }

  private void transfer(TransferEvent transfer) throws IOException {
    complete(transfer, transfer.access().name(), "transfer", transfer.engine(), transfer.ended());
    switch (transfer.access()) {
      case READ -> json.writeStringField("source", hex(transfer.source()));
      case WRITE -> json.writeStringField("destination", hex(transfer.destination()));
      case COPY -> {
        json.writeStringField("source", hex(transfer.source()));
        json.writeStringField("destination", hex(transfer.destination()));
      }
      case LOCAL -> {
        // Its addresses are the endpoint's own.
      }
    }
    json.writeNumberField("bytes asked", transfer.asked());
    json.writeNumberField("bytes moved", transfer.moved());
    json.writeStringField("path", transfer.path());
    if (transfer.fault() != null) {
      json.writeStringField("fault", transfer.fault());
      if (!transfer.fault().equals(TransferEvent.ENDED)) {
        json.writeStringField("fault address", hex(transfer.faultAddress()));
      }
    }
    endWithArguments();
  }

  private void reset(ResetEvent reset) throws IOException {
    complete(reset, "reset " + reset.kind(), "reset", REQUESTS, reset.ended());
    json.writeNumberField("jobs ended", reset.jobsEnded());
    endWithArguments();
  }

  private void interrupt(InterruptEvent interrupt) throws IOException {
    String name = "%s %d".formatted(interrupt.index(), interrupt.vector());
    begin(interrupt, "i", name, "interrupt", REQUESTS, interrupt.began());
    json.writeStringField("s", "t");
    json.writeObjectFieldStart("args");
    json.writeStringField("outcome", interrupt.outcome().name());
    endWithArguments();
  }

  private void complete(TraceEvent event, String name, String category, String track, long until)
      throws IOException {
    begin(event, "X", name, category, track, event.began());
    number("dur", until - event.began());
    json.writeObjectFieldStart("args");
  }

  private void begin(
      TraceEvent event, String phase, String name, String category, String track, long at)
      throws IOException {
    Process process = process(event.function());
    int thread = track(process, track);
    json.writeStartObject();
    json.writeStringField("name", name);
    json.writeStringField("cat", category);
    json.writeStringField("ph", phase);
    number("ts", at - origin);
    json.writeNumberField("pid", process.number);
    json.writeNumberField("tid", thread);
  }

  /** The process of a function, which is named when it is first met. */
  private Process process(String function) throws IOException {
    Process known = processes.get(function);
    if (known != null) {
      return known;
    }
    Process process = new Process();
    processes.put(function, process);
    metadata("process_name", process.number, process.number);
    json.writeStringField("name", function);
    endWithArguments();
    track(process, REQUESTS);
    return process;
  }

  private int track(Process process, String name) throws IOException {
    Integer known = process.tracks.get(name);
    if (known != null) {
      return known;
    }
    int number = ++lastNumber;
    metadata("thread_name", process.number, number);
    json.writeStringField("name", name);
    endWithArguments();
    metadata("thread_sort_index", process.number, number);
    json.writeNumberField("sort_index", process.tracks.size());
    endWithArguments();
    process.tracks.put(name, number);
    return number;
  }

  private void metadata(String name, int process, int thread) throws IOException {
    json.writeStartObject();
    json.writeStringField("name", name);
    json.writeStringField("ph", "M");
    json.writeNumberField("pid", process);
    json.writeNumberField("tid", thread);
    json.writeObjectFieldStart("args");
  }

  private void endWithArguments() throws IOException {
    json.writeEndObject();
    end(json);
  }

  private static void end(JsonGenerator json) throws IOException {
    json.writeEndObject();
    // One event a line, for people and their tools.
    json.writeRaw('\n');
  }

  /** Writes nanoseconds as the microseconds that the format counts in. */
  private void number(String name, long nanos) throws IOException {
    json.writeFieldName(name);
    json.writeNumber(BigDecimal.valueOf(nanos, NANOS_OF_MICRO_DIGITS));
  }

  private static String hex(long value) {
    return "0x" + Long.toHexString(value);
  }
}
