package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.FileSystem.Kind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ReachTest {

  @ParameterizedTest
  @CsvSource({
    "MEMORY, true, TOUCHED",
    "MEMORY, false, GUARDED",
    "HUGE_PAGES, true, GUARDED",
    "HUGE_PAGES, false, GUARDED",
    "DISK, true, BY_DESCRIPTOR",
    "DISK, false, BY_DESCRIPTOR",
    "DMABUF, true, BY_MESSAGES",
    "DMABUF, false, BY_MESSAGES",
    "OTHER, true, BY_MESSAGES",
    "OTHER, false, BY_MESSAGES"
  })
  void isAsFastAsIsSafe(Kind kind, boolean sealed, Reach reach) {
    assertThat(Reach.of(kind, sealed)).isEqualTo(reach);
  }
}
