package dev.peerbar.scenario.report;

import com.github.mustachejava.DefaultMustacheFactory;
import com.github.mustachejava.Mustache;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** A page that shows a report: one file, which a browser opens without a network. */
final class Page {
  private static final String TEMPLATES = "dev/peerbar/scenario/report";

  private Page() {}

  /** What the template takes. */
  private record Content(
      String title, String style, String script, String results, String comparison) {}

  static void write(OutputStream out, Results results, Optional<Comparison> comparison)
      throws IOException {
    Mustache template = new DefaultMustacheFactory(TEMPLATES).compile("page.mustache");
    Content content =
        new Content(
            "Scenarios, " + results.run().began(),
            resource("page.css"),
            resource("page.js"),
            data(results),
            comparison.map(Page::data).orElse("null"));
    Writer writer = new OutputStreamWriter(out, StandardCharsets.UTF_8);
    template.execute(writer, content);
    writer.flush();
  }

  /** JSON that may stand in a script element: no text in it can end the element. */
  private static String data(Object value) {
    return ResultsFile.json(value).replace("<", "\\u003c");
  }

  private static String resource(String name) throws IOException {
    try (InputStream in = Page.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new FileNotFoundException(name + " is not on the class path");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
