package dev.peerbar.server.fuzz;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** {@link CodecFuzzer}: what is in the corpus, then what a fuzzer makes of it. */
final class CodecFuzzTest {
  private static final String NAME = "codec";

  @Test
  void theCorpusHoldsAMessageOfEachKind() throws Exception {
    FuzzCorpus.holds(NAME, FuzzCorpus.codec());
  }

  @Test
  void whatIsInTheCorpusDecodesOrIsRefused() throws Exception {
    for (Path input : FuzzCorpus.inputs(NAME)) {
      try {
        CodecFuzzer.fuzzerTestOneInput(Files.readAllBytes(input));
      } catch (Throwable t) {
        throw new AssertionError(input.getFileName().toString(), t);
      }
    }
  }

  @Test
  @Tag("long")
  void whatAFuzzerFindsDecodesOrIsRefused() throws Exception {
    FuzzRun.run(CodecFuzzer.class, NAME);
  }
}
