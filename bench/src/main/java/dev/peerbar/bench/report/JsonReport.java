package dev.peerbar.bench.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Curve;
import dev.peerbar.bench.harness.Distribution;
import dev.peerbar.bench.harness.Effort;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Ratio;
import java.util.Locale;

/**
 * A report as JSON. The names of fields are an interface: none is renamed, and what there is
 * nothing to say of is null, not left out.
 */
final class JsonReport {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final double MILLIS_PER_SECOND = 1e3;

  private JsonReport() {}

  /** The report on many lines, the last one ended. */
  static String indented(Report report) {
    DefaultIndenter indenter = new DefaultIndenter("  ", "\n");
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter().withArrayIndenter(indenter).withObjectIndenter(indenter);
    try {
      return JSON.writer(printer).writeValueAsString(tree(report)) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The report. */
  static ObjectNode tree(Report report) {
    ObjectNode root = JSON.createObjectNode();
    machine(root.putObject("machine"), report.environment());
    root.put("began", report.began().toOffsetDateTime().toString());
    root.put("seconds", report.took().toMillis() / MILLIS_PER_SECOND);
    load(root.putArray("load_before"), report.loadBefore());
    load(root.putArray("load_after"), report.loadAfter());
    effort(root.putObject("effort"), report.effort());
    root.put("aims", report.aims());
    root.put("aims_met", report.aimsMet());
    ArrayNode benchmarks = root.putArray("benchmarks");
    report.sections().forEach(section -> section(benchmarks.addObject(), section));
    return root;
  }

  private static void machine(ObjectNode node, Environment environment) {
    node.put("processor", environment.processor());
    node.put("processors", environment.processors());
    node.put("memory_bytes", environment.memory());
    node.put("huge_pages", environment.hugePages());
    node.put("kernel", environment.kernel());
    node.put("distribution", environment.distribution());
    node.put("jdk", environment.jdk());
    node.put("virtualisation", environment.virtualisation().orElse(null));
  }

  private static void load(ArrayNode node, LoadAverage load) {
    node.add(load.oneMinute()).add(load.fiveMinutes()).add(load.fifteenMinutes());
  }

  private static void effort(ObjectNode node, Effort effort) {
    node.put("name", effort.name().toLowerCase(Locale.ROOT));
    node.put("rounds", effort.rounds());
    node.put("turn_ms", effort.iteration().toMillis());
    node.put("warm_up_ms", effort.warmUp().toMillis());
  }

  private static void section(ObjectNode node, Section section) {
    node.put("name", section.name());
    node.put("about", section.about());
    node.put("failure", section.failure().orElse(null));
    ArrayNode figures = node.putArray("figures");
    section.figures().forEach(figure -> figure(figures.addObject(), figure));
    ArrayNode distributions = node.putArray("distributions");
    section.distributions().forEach(shape -> distribution(distributions.addObject(), shape));
    ArrayNode curves = node.putArray("curves");
    section.curves().forEach(curve -> curve(curves.addObject(), curve));
  }

  private static void figure(ObjectNode node, Figure figure) {
    node.put("path", figure.path());
    node.put("figure", figure.figure());
    node.put("unit", figure.unit());
    node.put("floor", figure.floor().isPresent() ? figure.floor().getAsDouble() : null);
    node.put("value", figure.value());
    if (figure.ratio().isPresent()) {
      Ratio ratio = figure.ratio().get();
      node.putObject("ratio")
          .put("median", ratio.median())
          .put("first_quartile", ratio.low())
          .put("third_quartile", ratio.high());
    } else {
      node.putNull("ratio");
    }
    if (figure.aim().isPresent()) {
      Aim aim = figure.aim().get();
      node.putObject("aim")
          .put("of", figure.ratio().isPresent() ? "ratio" : "value")
          .put("direction", aim.direction().name().toLowerCase(Locale.ROOT))
          .put("bound", aim.bound());
      node.put("met", figure.met());
    } else {
      node.putNull("aim");
      node.putNull("met");
    }
  }

  private static void distribution(ObjectNode node, Distribution distribution) {
    node.put("path", distribution.path());
    ArrayNode lines = node.putArray("lines");
    for (Distribution.Line line : distribution.lines()) {
      ArrayNode points = lines.addObject().put("name", line.name()).putArray("points");
      line.points()
          .forEach(point ->
              points.addObject().put("percentile", point.percentile()).put("us", point.micros()));
    }
  }

  private static void curve(ObjectNode node, Curve curve) {
    node.put("path", curve.path());
    node.put("x", curve.x());
    node.put("y", curve.y());
    node.put("logarithmic", curve.logarithmic());
    ArrayNode lines = node.putArray("lines");
    for (Curve.Line line : curve.lines()) {
      ArrayNode points = lines.addObject().put("name", line.name()).putArray("points");
      line.points().forEach(point -> points.addObject().put("x", point.x()).put("y", point.y()));
    }
  }
}
