package dev.peerbar.bench.report;

/** The report that a page draws, as JSON. */
public final class PageData {
  private static final String BEGIN = "<script id=\"data\" type=\"application/json\">";

  private PageData() {}

  /** As a browser finds it: up to where the element ends. */
  public static String of(String html) {
    int begin = html.indexOf(BEGIN) + BEGIN.length();
    return html.substring(begin, html.indexOf("</script>", begin));
  }
}
