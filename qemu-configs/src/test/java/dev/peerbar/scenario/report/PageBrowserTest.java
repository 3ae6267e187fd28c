package dev.peerbar.scenario.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.peerbar.scenario.report.Results.Outcome;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The page in a browser: it shows all, its filter and its details work, and it asks nobody. */
@Timeout(600)
@Tag("long")
class PageBrowserTest {
  private static final int SCENARIOS = 150;
  private static final Path PICTURES = Path.of("target", "page");
  private static final Results RUN = MadeUpResults.big(SCENARIOS);
  private static final String SHOWN =
      "[...document.querySelectorAll('tr.row')].filter(r => !r.hidden)";
  private static final String PANEL = "document.querySelector('.panel')";

  @TempDir private static Path directory;

  private static Browser browser;

  @BeforeAll
  static void start() throws Exception {
    Optional<Path> executable = Browser.find();
    if (System.getenv("CI") == null) {
      assumeTrue(
          executable.isPresent(), "there is no chromium to show the page in: apt install chromium");
    }
    assertThat(executable).as("chromium on PATH").isPresent();
    Path profile = Files.createDirectory(directory.resolve("profile"));
    browser = new Browser(executable.get(), profile);
    ReportDirectory.write(directory, RUN, Optional.of(comparison()));
  }

  @AfterAll
  static void end() throws Exception {
    if (browser != null) {
      browser.close();
    }
  }

  private static Comparison comparison() {
    List<Results.Result> passed =
        RUN.results().stream().filter(r -> r.outcome() == Outcome.PASSED).toList();
    return Comparison.of(MadeUpResults.run(7, "2026-01-01T00:00:00Z", RUN.settings(), passed), RUN);
  }

  private void open(String state) throws Exception {
    browser.complaints().clear();
    URI page = directory.resolve(ReportDirectory.PAGE).toUri();
    browser.look(1400, 1000, false);
    browser.open(URI.create(page + state));
    assertThat(browser.requests()).allMatch(url -> url.startsWith(page.toString())).hasSize(1);
  }

  private void quiet() throws Exception {
    assertThat(browser.complaints()).isEmpty();
    assertThat(browser.text("document.title")).isEqualTo("Scenarios, 2026-01-02T03:04:05Z");
    assertThat(browser.number("document.images.length + document.scripts.length")).isEqualTo(3);
  }

  @Test
  void itShowsEveryResult() throws Exception {
    open("");
    // And the guests.
    assertThat(browser.number(SHOWN + ".length")).isEqualTo(SCENARIOS + 1);
    Map<Outcome, Long> counts = MadeUpResults.counts(RUN);
    for (Outcome outcome : Outcome.values()) {
      String word = outcome.name().toLowerCase();
      assertThat(
              browser.text("document.querySelector('[data-total=%s]').textContent".formatted(word)))
          .isEqualTo(counts.get(outcome) + " " + word);
      int guests = outcome == Outcome.PASSED ? 5 : outcome == Outcome.FAILED ? 1 : 0;
      assertThat(browser.number("document.querySelectorAll('.cell.%s').length".formatted(word)))
          .isEqualTo(counts.get(outcome).intValue() + guests);
    }
    assertThat(browser.number("document.querySelectorAll('#reasons li').length")).isEqualTo(3);
    assertThat(browser.text("document.getElementById('reasons').textContent"))
        .contains(MadeUpResults.HOSTILE);
    assertThat(browser.number("document.querySelectorAll('figure svg .box.endpoint').length"))
        .isEqualTo(6);
    assertThat(browser.number("document.querySelectorAll('figure svg .route.refused').length"))
        .isPositive();
    assertThat(browser.text("document.getElementById('comparison').innerText"))
        .startsWith("Compared\n")
        .contains("began to fail: 63", "appeared: 168")
        .doesNotContain("began to pass", "\n0");
    quiet();
    browser.picture(PICTURES.resolve("light.png"));
    browser.value("document.getElementById('filter').scrollIntoView()");
    browser.picture(PICTURES.resolve("matrix.png"));
    browser.value("document.getElementById('reasons').scrollIntoView()");
    browser.picture(PICTURES.resolve("places.png"));
    browser.look(1400, 1000, true);
    browser.picture(PICTURES.resolve("dark.png"));
    browser.look(420, 1000, false);
    browser.picture(PICTURES.resolve("narrow.png"));
    assertThat(browser.number("document.documentElement.scrollWidth")).isLessThanOrEqualTo(420);
  }

  @Test
  void itsFilterIsTypedAndItsStateIsInTheAddress() throws Exception {
    open("");
    browser.press("/");
    browser.type("case-003");
    assertThat(browser.text(SHOWN + ".map(r => r.dataset.scenario).join()"))
        .isEqualTo("life.case-003");
    assertThat(browser.text("document.getElementById('count').textContent"))
        .isEqualTo("1 of 151 scenarios");
    assertThat(browser.text("location.hash")).isEqualTo("#q=case-003");
    browser.press("Escape");
    assertThat(browser.number(SHOWN + ".length")).isEqualTo(SCENARIOS + 1);
    browser.value("document.querySelector('[data-total=failed]').click()");
    assertThat(browser.number(SHOWN + ".length")).isLessThan(SCENARIOS).isPositive();
    assertThat(browser.number(SHOWN + ".filter(r => !r.querySelector('.failed')).length")).isZero();
    assertThat(browser.text("document.querySelector('[data-total=failed]').ariaPressed"))
        .isEqualTo("true");
    browser.value("document.querySelector('[data-total=failed]').click()");
    assertThat(browser.number(SHOWN + ".length")).isEqualTo(SCENARIOS + 1);
    browser.value("document.querySelector('#outcomes [value=passed]').click()");
    int unlike = browser.number(SHOWN + ".length");
    assertThat(unlike).isLessThan(SCENARIOS).isPositive();
    assertThat(browser.number(SHOWN + ".filter(r => !r.querySelector('.failed, .skipped')).length"))
        .isZero();
    browser.value(
        "const f = document.getElementById('family'); f.value = 'flr'; f.dispatchEvent(new Event('change'))");
    assertThat(browser.number(SHOWN + ".length")).isLessThan(unlike).isPositive();
    String state = browser.text("location.hash");
    int shown = browser.number(SHOWN + ".length");
    quiet();

    open(state);
    assertThat(browser.number(SHOWN + ".length")).isEqualTo(shown);
    quiet();
  }

  @Test
  void aDetailBeginsWithTheExpectationThatFailed() throws Exception {
    open("");
    browser.press("/");
    browser.type("case-003");
    browser.press("ArrowDown");
    browser.press("Enter");
    assertThat(browser.text(PANEL + ".querySelector('.expectation').textContent"))
        .contains("what it should be is seen", "EINVAL instead of 0 " + MadeUpResults.HOSTILE);
    assertThat(browser.text(PANEL + ".textContent"))
        .contains("left behind", "fd 9", "./peerbar scenarios --only=life.case-003", "a call");
    assertThat(
            browser.text(
                "[..." + PANEL + ".querySelectorAll('.lanes th')].map(t => t.textContent).join()"))
        .isEqualTo("ms,guest,hbm-a,hbm-b");
    assertThat(browser.number(PANEL + ".querySelectorAll('.lanes td.event').length")).isEqualTo(40);
    assertThat(browser.text(PANEL + ".querySelector('.lanes .gap').textContent"))
        .startsWith("5,000");
    browser.picture(PICTURES.resolve("detail.png"));
    browser.look(1400, 1000, true);
    browser.picture(PICTURES.resolve("detail-dark.png"));
    String state = browser.text("location.hash");
    browser.press("Escape");
    assertThat(browser.number("document.querySelectorAll('.panel').length")).isZero();
    quiet();

    open(state);
    assertThat(browser.text(PANEL + ".textContent")).contains("EINVAL instead of 0");
    quiet();
  }

  @Test
  void everyDetailOpens() throws Exception {
    open("");
    assertThat(
            browser.number(
                """
                [...document.querySelectorAll('.cell')].filter(cell => {
                  cell.click();
                  const panel = document.querySelector('.panel');
                  return panel && panel.textContent.includes(cell.dataset.setting);
                }).length\
                """))
        .isEqualTo(6 * (SCENARIOS + 1));
    quiet();
  }

  /** One that was interrupted before anything was tried. */
  @Test
  void aRunWithoutResultsIsShown() throws Exception {
    Path early = Files.createDirectories(directory.resolve("early"));
    Results none = MadeUpResults.run(7, "2026-01-02T03:04:05Z", 12, List.of(), List.of());
    ReportDirectory.write(early, none, Optional.empty());
    browser.complaints().clear();
    browser.open(early.resolve(ReportDirectory.PAGE).toUri());
    assertThat(browser.text("document.getElementById('head').textContent"))
        .contains("0 passed", "The run ended early: 12 of 12 not tried.");
    assertThat(browser.complaints()).isEmpty();
  }
}
