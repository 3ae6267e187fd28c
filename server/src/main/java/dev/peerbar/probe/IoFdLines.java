package dev.peerbar.probe;

import dev.peerbar.protocol.DeviceGetRegionIoFds.IoEventFd;
import dev.peerbar.protocol.DeviceGetRegionIoFds.IoRegionFd;
import dev.peerbar.protocol.DeviceGetRegionIoFds.SubRegion;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A line for each place in a region that a kernel can tell the server of: a doorbell may have a
 * descriptor for each value that can be written to it.
 */
final class IoFdLines {
  /** A line has to stay readable, and short enough for lspci to skip. */
  private static final int MOST_RANGES = 8;

  private IoFdLines() {}

  static List<String> of(List<SubRegion> parts) {
    Map<String, List<Long>> matches = new LinkedHashMap<>();
    for (SubRegion part : parts) {
      List<Long> values = matches.computeIfAbsent(place(part), place -> new ArrayList<>());
      if (part instanceof IoEventFd event && (event.flags() & IoEventFd.DATAMATCH) != 0) {
        values.add(event.datamatch());
      }
    }
    List<String> lines = new ArrayList<>();
    matches.forEach((place, values) ->
        lines.add(values.isEmpty() ? place : place + " datamatch=" + ranges(values)));
    return lines;
  }

  private static String place(SubRegion part) {
    String type =
        switch (part) {
          case IoEventFd event -> "ioeventfd";
          case IoRegionFd region -> "ioregionfd";
        };
    return "%s: offset=%08x size=%s".formatted(type, part.offset(), TextReport.size(part.size()));
  }

  /** Values in hex, those that follow each other as a range. */
  private static String ranges(List<Long> values) {
    List<Long> sorted = values.stream().distinct().sorted(Long::compareUnsigned).toList();
    List<String> ranges = new ArrayList<>();
    int from = 0;
    for (int i = 1; i <= sorted.size(); i++) {
      if (i == sorted.size() || sorted.get(i) != sorted.get(i - 1) + 1) {
        long first = sorted.get(from);
        long last = sorted.get(i - 1);
        ranges.add(first == last ? "%x".formatted(first) : "%x-%x".formatted(first, last));
        from = i;
      }
    }
    return ranges.size() <= MOST_RANGES
        ? String.join(",", ranges)
        : String.join(",", ranges.subList(0, MOST_RANGES)) + ",...";
  }
}
