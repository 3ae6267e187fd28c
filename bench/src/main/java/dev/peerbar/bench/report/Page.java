package dev.peerbar.bench.report;

import com.github.mustachejava.DefaultMustacheFactory;
import com.github.mustachejava.Mustache;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Effort;
import dev.peerbar.bench.harness.Figure;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Properties;

/**
 * A folder with a page that shows the report, and all that the page needs: a browser opens it
 * without a network.
 */
public final class Page {
  private static final String INDEX = "index.html";
  private static final String CHARTS = "echarts.min.js";
  private static final String TEMPLATES = "dev/peerbar/bench/report";
  private static final String LIBRARY = "/META-INF/resources/webjars/echarts/%s/dist/" + CHARTS;
  private static final String LIBRARY_VERSION =
      "/META-INF/maven/org.webjars.npm/echarts/pom.properties";
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("d MMMM yyyy, HH:mm z", Locale.ROOT);
  private static final double BYTES_PER_GIB = 1 << 30;

  private final Path folder;

  private Page(Path folder) {
    this.folder = folder;
  }

  /**
   * Makes the folder, if it is not there, and puts what does not depend on the report into it.
   *
   * @throws IOException if that cannot be written
   */
  public static Page prepare(Path folder) throws IOException {
    Files.createDirectories(folder);
    try (InputStream library = resource(LIBRARY.formatted(libraryVersion()))) {
      Files.copy(library, folder.resolve(CHARTS), StandardCopyOption.REPLACE_EXISTING);
    }
    return new Page(folder);
  }

  private static String libraryVersion() throws IOException {
    Properties pom = new Properties();
    try (InputStream in = resource(LIBRARY_VERSION)) {
      pom.load(in);
    }
    return pom.getProperty("version");
  }

  private static InputStream resource(String name) throws IOException {
    InputStream in = Page.class.getResourceAsStream(name);
    if (in == null) {
      throw new FileNotFoundException(name + " is not on the class path");
    }
    return in;
  }

  /** Writes the page; an earlier one goes. */
  public void write(Report report) throws IOException {
    Mustache template = new DefaultMustacheFactory(TEMPLATES).compile("page.mustache");
    try (Writer out = Files.newBufferedWriter(folder.resolve(INDEX))) {
      template.execute(out, Content.of(report));
    }
  }

  /** What the template shows. */
  private record Content(
      List<Fact> facts,
      boolean quick,
      long aims,
      long aimsMet,
      String charts,
      List<Group> groups,
      String data) {

    static Content of(Report report) {
      return new Content(
          facts(report),
          report.effort() == Effort.QUICK,
          report.aims(),
          report.aimsMet(),
          CHARTS,
          report.sections().stream().map(Group::of).toList(),
          script(report));
    }

    private static List<Fact> facts(Report report) {
      Environment environment = report.environment();
      String host =
          environment.virtualisation().map(name -> "virtual: " + name).orElse("not virtual");
      return List.of(
          new Fact(
              "Processor",
              "%s, %d to use; %s"
                  .formatted(environment.processor(), environment.processors(), host)),
          new Fact("Kernel", environment.kernel() + ", " + environment.distribution()),
          new Fact(
              "Memory",
              String.format(
                  Locale.ROOT,
                  "%.1f GiB; huge pages: %s",
                  environment.memory() / BYTES_PER_GIB,
                  environment.hugePages())),
          new Fact("JDK", environment.jdk()),
          new Fact(
              "Date",
              "%s, took %d s".formatted(DATE.format(report.began()), report.took().toSeconds())),
          new Fact(
              "Load", "%s before, %s after".formatted(report.loadBefore(), report.loadAfter())));
    }

    /** JSON that may stand in a script element: no text in it can end the element. */
    private static String script(Report report) {
      return JsonReport.tree(report).toString().replace("<", "\\u003c");
    }
  }

  /** One of the machine's, or of the run's. */
  private record Fact(String name, String value) {}

  /** A benchmark's rows. */
  private record Group(String name, String about, String failure, List<Row> rows) {
    static Group of(Section section) {
      return new Group(
          section.name(),
          section.about(),
          section.failure().orElse(null),
          section.figures().stream().map(Row::of).toList());
    }
  }

  /** A figure's row. */
  private record Row(
      String path,
      String figure,
      String floor,
      String value,
      String unit,
      String ratio,
      String spread,
      String aim,
      boolean met,
      boolean missed) {

    static Row of(Figure figure) {
      return new Row(
          figure.path(),
          figure.figure(),
          figure.floor().isPresent() ? Numbers.of(figure.floor().getAsDouble()) : "",
          Numbers.of(figure.value()),
          figure.unit(),
          figure.ratio().map(ratio -> Numbers.ratio(ratio.median())).orElse(""),
          figure
              .ratio()
              .map(ratio -> Numbers.ratio(ratio.low()) + " – " + Numbers.ratio(ratio.high()))
              .orElse(""),
          figure.aim().map(aim -> aim(aim, figure)).orElse(""),
          figure.aim().isPresent() && figure.met(),
          figure.aim().isPresent() && !figure.met());
    }

    private static String aim(Aim aim, Figure figure) {
      String sign = aim.direction() == Aim.Direction.AT_MOST ? "≤ " : "≥ ";
      return sign
          + String.format(Locale.ROOT, "%.2f", aim.bound())
          + (figure.ratio().isPresent() ? "" : " " + figure.unit());
    }
  }
}
