package dev.peerbar.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.mockito.Mockito.mock;

import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.EndpointContext;
import dev.peerbar.endpoint.EndpointOption;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.endpoint.EndpointType;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ResetKind;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class PageFetcherTest {
  private static final long PAGE_IOVA = 0x7000;

  private static final Path EXAMPLE = Path.of("examples/page-fetcher");

  @TempDir private static Path classes;
  private static EndpointType type;

  private Endpoint endpoint;
  private FakeHost host;

  /** From the sources that are shown, with nothing but the module's own classes. */
  @BeforeAll
  static void compile() throws Exception {
    List<String> options = new ArrayList<>(List.of("-Xlint:all", "-Werror", "-d", classes + ""));
    options.addAll(List.of("-cp", location(EndpointType.class).toString()));
    for (String source : List.of("PageFetcher.java", "PageFetcherType.java")) {
      options.add(EXAMPLE.resolve(source).toString());
    }
    StringWriter said = new StringWriter();
    int status =
        ToolProvider.findFirst("javac")
            .orElseThrow()
            .run(new PrintWriter(said), new PrintWriter(said), options.toArray(new String[0]));
    assertThat(status).as(said.toString()).isZero();
    URL[] path = {classes.toUri().toURL(), EXAMPLE.toUri().toURL()};
    type =
        ServiceLoader.load(EndpointType.class, new URLClassLoader(path)).stream()
            .map(ServiceLoader.Provider::get)
            .filter(each -> each.name().equals("page-fetcher"))
            .findFirst()
            .orElseThrow();
  }

  private static Path location(Class<?> of) throws URISyntaxException {
    return Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI());
  }

  @BeforeEach
  void make() throws IOException {
    endpoint = type.configure(EndpointOptions.NONE).make(mock(EndpointContext.class));
    host = new FakeHost(endpoint);
  }

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
  void aDriverThatAsksOftenDoesNotFillAQueue() {
    host.map(PAGE_IOVA, 4096).fill((byte) 0x5a);
    for (int i = 1; i < 100; i++) {
      endpoint.write(0, 0x00, AccessWidth.QWORD, i);
    }

    endpoint.write(0, 0x00, AccessWidth.QWORD, PAGE_IOVA);
    assertThat(host.jobsWaiting()).isOne();
    host.settle();

    assertThat(endpoint.read(0, 0x08, AccessWidth.DWORD)).as("the last").isEqualTo(1);
    assertThat(endpoint.read(0, 0x0c, AccessWidth.DWORD)).isZero();
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
  void hasAsMuchMemoryAsWasAskedFor() throws IOException {
    EndpointOption<?> memory = type.options().getFirst();
    EndpointOptions twoMebibytes = EndpointOptions.NONE.with(memory, 2L << 20);

    Endpoint larger = type.configure(twoMebibytes).make(mock(EndpointContext.class));

    assertThat(new FakeHost(larger).memory(2).byteSize()).isEqualTo(2 << 20);
    assertThat(host.memory(2).byteSize()).isEqualTo(1 << 20);
    assertThatThrownBy(() -> type.configure(EndpointOptions.NONE.with(memory, 3L << 20)))
        .hasMessageContaining("power of two");
  }

  @ParameterizedTest
  @ValueSource(strings = {"PageFetcher.java", "PageFetcherType.java"})
  void isWhatThePageShows(String file) throws IOException {
    String page = Files.readString(Path.of("docs/endpoint-author.md"));
    String source = Files.readString(EXAMPLE.resolve(file));

    assertThat(page).contains("```java\n" + source + "```");
  }
}
