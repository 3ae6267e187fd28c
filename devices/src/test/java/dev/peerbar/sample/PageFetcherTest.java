package dev.peerbar.sample;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ResetKind;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class PageFetcherTest {
  private static final long PAGE_IOVA = 0x7000;

  private final PageFetcher endpoint = new PageFetcher();
  private final FakeHost host = new FakeHost(endpoint);

  @Test
  void fetchesPageAndInterrupts() {
    host.map(PAGE_IOVA, 4096).fill((byte) 0x5a);

    endpoint.write(0, 0x00, AccessWidth.QWORD, PAGE_IOVA);
    host.settle();

    assertThat(host.memory(2).asSlice(0, 4096).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0x5a);
    assertThat(endpoint.read(0, 0x08, AccessWidth.DWORD)).isEqualTo(1);
    assertThat(endpoint.read(0, 0x0c, AccessWidth.DWORD)).isZero();
    assertThat(host.raised()).containsExactly(0);
  }

  @Test
  void countsFault() {
    endpoint.write(0, 0x00, AccessWidth.QWORD, PAGE_IOVA);
    host.settle();

    assertThat(endpoint.read(0, 0x08, AccessWidth.DWORD)).isZero();
    assertThat(endpoint.read(0, 0x0c, AccessWidth.DWORD)).isEqualTo(1);
    assertThat(host.raised()).containsExactly(0);
  }

  @Test
  void forgetsOnReset() {
    host.map(PAGE_IOVA, 4096);
    endpoint.write(0, 0x00, AccessWidth.QWORD, PAGE_IOVA);
    host.runJob();
    host.reset(ResetKind.FUNCTION_LEVEL);
    host.settle();

    assertThat(endpoint.read(0, 0x08, AccessWidth.DWORD)).isZero();
    assertThat(host.raised()).isEmpty();
  }

  @Test
  void isWhatThePageShows() throws IOException {
    String page = Files.readString(Path.of("docs/endpoint-author.md"));
    String source = Files.readString(Path.of("src/test/java/dev/peerbar/sample/PageFetcher.java"));

    assertThat(page).contains("```java\n" + source + "```");
  }
}
