package dev.peerbar;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The pages of all modules: their links lead somewhere, and a module's first page is a screen. */
final class PagesTest {
  private static final Pattern LINK = Pattern.compile("\\[[^\\]]*\\]\\(([^)\\s]+)\\)");
  private static final Pattern ELSEWHERE = Pattern.compile("[a-z]+:.*");
  private static final Pattern NO_ANCHOR = Pattern.compile("[^\\p{Alnum}_\\- ]");
  private static final int SCREEN_LINES = 62;
  private static final int SCREEN_COLUMNS = 120;

  private static Path root() {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve(".mvn"))) {
      root = root.getParent();
    }
    return root;
  }

  /** Every page of the sources, none of what a build made. */
  static List<Path> pages() throws IOException {
    List<Path> pages = new ArrayList<>();
    Files.walkFileTree(
        root(),
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
            String name = folder.getFileName().toString();
            return name.equals("target") || name.startsWith(".") && !folder.equals(root())
                ? FileVisitResult.SKIP_SUBTREE
                : FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            if (file.toString().endsWith(".md")) {
              pages.add(file);
            }
            return FileVisitResult.CONTINUE;
          }
        });
    return pages;
  }

  static List<Path> firstPages() {
    return Stream.of("protocol", "devices", "server", "qemu-configs", "bench")
        .map(module -> root().resolve(module).resolve("README.md"))
        .toList();
  }

  /** The lines of a page that are not code. */
  private static List<String> prose(Path page) throws IOException {
    List<String> prose = new ArrayList<>();
    boolean code = false;
    for (String line : Files.readAllLines(page)) {
      if (line.startsWith("```")) {
        code = !code;
      } else if (!code) {
        prose.add(line);
      }
    }
    return prose;
  }

  /** What can stand behind a # in a link to a page, as GitHub makes it from headings. */
  private static List<String> anchors(Path page) throws IOException {
    List<String> anchors = new ArrayList<>();
    Map<String, Integer> before = new HashMap<>();
    for (String line : prose(page)) {
      if (line.matches("#+ .*")) {
        String heading = line.replaceFirst("#+ ", "").strip().toLowerCase(Locale.ROOT);
        String anchor = NO_ANCHOR.matcher(heading).replaceAll("").replace(' ', '-');
        int count = before.merge(anchor, 1, Integer::sum) - 1;
        anchors.add(count == 0 ? anchor : anchor + "-" + count);
      }
    }
    return anchors;
  }

  @ParameterizedTest
  @MethodSource("pages")
  void everyLinkLeadsSomewhere(Path page) throws IOException {
    Matcher links = LINK.matcher(String.join("\n", prose(page)));
    while (links.find()) {
      String link = links.group(1);
      if (ELSEWHERE.matcher(link).matches()) {
        continue;
      }
      int hash = link.indexOf('#');
      String path = hash < 0 ? link : link.substring(0, hash);
      Path target = path.isEmpty() ? page : page.resolveSibling(path).normalize();
      assertThat(target).as(link).startsWithRaw(root()).exists();
      if (hash >= 0) {
        assertThat(anchors(target)).as(link).contains(link.substring(hash + 1));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("firstPages")
  void aModulesFirstPageIsAScreen(Path page) throws IOException {
    List<String> lines = Files.readAllLines(page);
    assertThat(lines.size()).as("lines").isLessThanOrEqualTo(SCREEN_LINES);
    assertThat(lines).filteredOn(line -> line.length() > SCREEN_COLUMNS).isEmpty();
  }

  @Test
  void thereArePages() throws IOException {
    assertThat(pages()).contains(root().resolve("README.md")).containsAll(firstPages());
  }
}
