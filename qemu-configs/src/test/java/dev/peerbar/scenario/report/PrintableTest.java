package dev.peerbar.scenario.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PrintableTest {

  @Test
  void textStaysAsItIs() {
    assertThat(Printable.lines("one <two> & 'three' #4\n  ünï 😀\n"))
        .containsExactly("one <two> & 'three' #4", "  ünï 😀");
    assertThat(Printable.lines("")).isEmpty();
  }

  @Test
  void linesEndAsTheyDoOnAConsole() {
    assertThat(Printable.lines("a\r\nb\rc\n\nd")).containsExactly("a", "b", "c", "", "d");
    assertThat(Printable.line(" a\r\n  b\n")).isEqualTo("a; b");
  }

  @Test
  void whatIsNoTextIsSpelledOut() {
    assertThat(Printable.lines("\0\u001b[31m\u007f\u0085\u2028\u202e\ufffe"))
        .containsExactly("\\x00\\x1b[31m\\x7f\\x85\\u2028\\u202e\\ufffe");
    assertThat(Printable.line("half \ud800 a character \udc00"))
        .isEqualTo("half \\ud800 a character \\udc00");
    assertThat(Printable.line("a\ttab")).isEqualTo("a tab");
  }

  @Test
  void muchIsCutAndCounted() {
    assertThat(Printable.lines("line\n".repeat(100_000)))
        .hasSize(Printable.MOST_LINES + 1)
        .endsWith("line", "(99800 more lines)");
    assertThat(Printable.line("😀".repeat(1_000_000)))
        .isEqualTo("😀".repeat(Printable.LONGEST_LINE) + " (999000 more characters)");
    assertThat(Printable.line("line\n".repeat(1_000_000))).hasSizeLessThan(2000);
  }
}
