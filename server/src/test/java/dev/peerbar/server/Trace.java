package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** A trace file, checked against the Trace Event Format as far as this program uses it. */
public final class Trace {
  private static final Set<String> PHASES = Set.of("M", "X", "i", "b", "e");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final List<JsonNode> events = new ArrayList<>();
  private final Map<Integer, String> processes = new HashMap<>();
  private final Map<Integer, String> tracks = new HashMap<>();
  private final Map<Integer, Integer> processOfTrack = new HashMap<>();

  private Trace(String text) throws IOException {
    JsonNode array = JSON.readTree(text);
    assertThat(array.isArray()).isTrue();
    array.forEach(this::add);
    asynchronousEventsAreMatched();
    completeEventsNest();
  }

  /** A trace that was ended. */
  public static Trace ended(Path file) throws IOException {
    return new Trace(Files.readString(file));
  }

  /** A trace whose writer was killed: what viewers do for it is to end the array. */
  public static Trace cutShort(Path file) throws IOException {
    String text = Files.readString(file);
    assertThat(text.strip()).doesNotEndWith("]");
    return new Trace(text + "]");
  }

  private void add(JsonNode event) {
    String phase = event.get("ph").textValue();
    assertThat(PHASES).contains(phase);
    assertThat(event.get("name").textValue()).isNotEmpty();
    assertThat(event.get("pid").isInt()).isTrue();
    assertThat(event.get("tid").isInt()).isTrue();
    if (phase.equals("M")) {
      metadata(event);
      return;
    }
    events.add(event);
    assertThat(event.get("cat").textValue()).isNotEmpty();
    assertThat(event.get("ts").isNumber()).isTrue();
    assertThat(event.get("ts").doubleValue()).isNotNegative();
    assertThat(processes).as("named before it is used").containsKey(pid(event));
    assertThat(tracks).as("named before it is used").containsKey(tid(event));
    assertThat(processOfTrack).containsEntry(tid(event), pid(event));
    switch (phase) {
      case "X" -> assertThat(event.get("dur").doubleValue()).isNotNegative();
      case "i" -> assertThat(event.get("s").textValue()).isEqualTo("t");
      default -> assertThat(event.get("id").textValue()).startsWith("0x");
    }
  }

  private void metadata(JsonNode event) {
    String name = event.path("args").path("name").asText();
    switch (event.get("name").textValue()) {
      case "process_name" -> assertThat(processes.put(pid(event), name)).isNull();
      case "thread_name" -> {
        assertThat(tracks.put(tid(event), name)).isNull();
        processOfTrack.put(tid(event), pid(event));
      }
      case "thread_sort_index" -> assertThat(event.get("args").get("sort_index").isInt()).isTrue();
      default -> throw new AssertionError(event.toString());
    }
  }

  private void asynchronousEventsAreMatched() {
    Map<String, JsonNode> open = new HashMap<>();
    Set<String> used = new HashSet<>();
    for (JsonNode event : events) {
      String key = event.path("cat").asText() + event.path("id").asText();
      if (phase(event).equals("b")) {
        assertThat(used.add(key)).as("an id of its own").isTrue();
        open.put(key, event);
      } else if (phase(event).equals("e")) {
        JsonNode begin = open.remove(key);
        assertThat(begin).isNotNull();
        assertThat(begin.get("name")).isEqualTo(event.get("name"));
        assertThat(begin.get("pid")).isEqualTo(event.get("pid"));
        assertThat(nanos(event, "ts")).isGreaterThanOrEqualTo(nanos(begin, "ts"));
      }
    }
    assertThat(open).isEmpty();
  }

  private void completeEventsNest() {
    for (int track : tracks.keySet()) {
      List<JsonNode> complete =
          events.stream()
              .filter(event -> phase(event).equals("X") && tid(event) == track)
              .sorted(
                  Comparator.<JsonNode>comparingLong(event -> nanos(event, "ts"))
                      .thenComparing(event -> -nanos(event, "dur")))
              .toList();
      Deque<Long> ends = new ArrayDeque<>();
      for (JsonNode event : complete) {
        long begin = nanos(event, "ts");
        long end = begin + nanos(event, "dur");
        while (!ends.isEmpty() && ends.peek() <= begin) {
          ends.pop();
        }
        if (!ends.isEmpty()) {
          assertThat(end).as("%s inside what it begins in", event).isLessThanOrEqualTo(ends.peek());
        }
        ends.push(end);
      }
    }
  }

  static long nanos(JsonNode event, String field) {
    return event.get(field).decimalValue().movePointRight(3).longValueExact();
  }

  private static String phase(JsonNode event) {
    return event.get("ph").textValue();
  }

  private static int pid(JsonNode event) {
    return event.get("pid").intValue();
  }

  private static int tid(JsonNode event) {
    return event.get("tid").intValue();
  }

  /** The names of all processes. */
  public List<String> processes() {
    return processes.values().stream().sorted().toList();
  }

  /** The names of a process's tracks. */
  public List<String> tracks(String process) {
    return tracks.entrySet().stream()
        .filter(track -> processes.get(processOfTrack.get(track.getKey())).equals(process))
        .map(Map.Entry::getValue)
        .sorted()
        .toList();
  }

  /** The events of a name on a track, or all with an empty name. */
  public List<JsonNode> events(String process, String track, String name) {
    return all(name)
        .filter(event -> processes.get(pid(event)).equals(process))
        .filter(event -> tracks.get(tid(event)).equals(track))
        .toList();
  }

  Stream<JsonNode> all(String name) {
    return events.stream()
        .filter(event -> name.isEmpty() || event.get("name").textValue().equals(name));
  }
}
