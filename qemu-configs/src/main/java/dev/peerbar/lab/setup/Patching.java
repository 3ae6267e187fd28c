package dev.peerbar.lab.setup;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Applies patches with patch(1), exactly: lines around a change have to be what they were. */
final class Patching {
  static final String PROGRAM = "patch";

  private static final Pattern FILE = Pattern.compile("patching file (?:'(.+)'|(\\S+)).*");
  private static final Pattern HUNK =
      Pattern.compile("Hunk #(\\d+) (?:FAILED|ignored) at (\\d+).*");
  private static final Pattern NO_FILE = Pattern.compile("can't find file to patch .*");
  private static final Pattern CONTEXT = Pattern.compile("\\|(?:---|\\+\\+\\+) [^/\\s]+/(\\S+).*");
  private static final Pattern EXISTS =
      Pattern.compile("The next patch would create the file (\\S+),.*");
  private static final Pattern ABSENT =
      Pattern.compile("The next patch would delete the file (\\S+),.*");
  private static final Pattern MALFORMED = Pattern.compile(".*malformed patch at line (\\d+).*");

  private Patching() {}

  /**
   * Applies one.
   *
   * @param tree changed; half changed if it does not apply
   * @param scratch a directory for a file
   * @throws KernelUnfitException with the first place where it does not apply
   */
  static void apply(KernelPatch patch, Path tree, Path scratch) throws IOException, SetupException {
    Path file =
        Files.writeString(scratch.resolve("patch"), patch.text(), StandardCharsets.ISO_8859_1);
    List<String> said = new ArrayList<>();
    try {
      SetupProgram.in(
              tree,
              PROGRAM,
              "-p1",
              "--batch",
              "--forward",
              "--fuzz=0",
              "--no-backup-if-mismatch",
              "--reject-file=-",
              "--input=" + file)
          .run(said::add);
    } catch (SetupException e) {
      throw new KernelUnfitException(failure(patch.name(), said), e);
    }
  }

  /** What patch(1) said of a patch that does not apply, in a sentence. */
  static String failure(String name, List<String> said) {
    String current = "";
    for (int i = 0; i < said.size(); i++) {
      String line = said.get(i);
      Matcher file = FILE.matcher(line);
      Matcher hunk = HUNK.matcher(line);
      Matcher exists = EXISTS.matcher(line);
      Matcher absent = ABSENT.matcher(line);
      Matcher malformed = MALFORMED.matcher(line);
      if (file.matches()) {
        current = file.group(1) != null ? file.group(1) : file.group(2);
      } else if (hunk.matches()) {
        return "%s does not apply: hunk %s of %s, at line %s"
            .formatted(name, hunk.group(1), current, hunk.group(2));
      } else if (NO_FILE.matcher(line).matches()) {
        return "%s does not apply: there is no file %s"
            .formatted(name, wanted(said.subList(i, said.size())));
      } else if (exists.matches()) {
        return "%s does not apply: there is a file %s already".formatted(name, exists.group(1));
      } else if (absent.matches()) {
        return "%s does not apply: there is no file %s".formatted(name, absent.group(1));
      } else if (line.startsWith("Reversed (or previously applied) patch detected")) {
        return "%s does not apply: %s has been changed so already".formatted(name, current);
      } else if (malformed.matches()) {
        return "%s is damaged at its line %s".formatted(name, malformed.group(1));
      } else if (line.contains("Only garbage was found in the patch input")) {
        return name + " has no change in it, neither as a mail nor as a diff";
      }
    }
    return "%s does not apply: %s"
        .formatted(name, said.isEmpty() ? "patch(1) failed" : said.getLast());
  }

  private static String wanted(List<String> said) {
    String file = "that it changes";
    for (String line : said) {
      Matcher context = CONTEXT.matcher(line);
      if (context.matches()) {
        file = context.group(1);
      }
    }
    return file;
  }
}
