package dev.peerbar.server.fuzz;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** {@link SessionFuzzer}: what is in the corpus, then what a fuzzer makes of it. */
final class SessionFuzzTest {
  private static final String NAME = "session";

  @Test
  void theCorpusHoldsAScriptOfEachKind() throws Exception {
    FuzzCorpus.holds(NAME, FuzzCorpus.session());
  }

  @Test
  void whatIsInTheCorpusHurtsNobody() throws Exception {
    SessionFuzzer.fuzzerInitialize();
    try {
      for (Path input : FuzzCorpus.inputs(NAME)) {
        try {
          SessionFuzzer.fuzzerTestOneInput(Files.readAllBytes(input));
        } catch (Throwable t) {
          throw new AssertionError(input.getFileName().toString(), t);
        }
      }
    } finally {
      SessionFuzzer.fuzzerTearDown();
    }
  }

  @Test
  @Tag("long")
  void whatAFuzzerFindsHurtsNobody() throws Exception {
    FuzzRun.run(SessionFuzzer.class, NAME);
  }
}
