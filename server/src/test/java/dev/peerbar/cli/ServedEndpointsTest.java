package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.server.fixture.OpenFiles;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ServedEndpointsTest {
  @TempDir private Path directory;

  @Test
  void whatIsStartedAfterTheEndIsNotServed() throws Exception {
    ServedEndpoints endpoints = new ServedEndpoints();
    EndpointSpec spec =
        new EndpointSpec(
            EndpointTypes.builtIn().find("hbm").orElseThrow(),
            new ServeOptions(),
            EndpointOptions.NONE);
    Path first = directory.resolve("a.sock");
    assertThat(endpoints.start(spec, spec.serving().at(first))).isTrue();
    assertThat(first).exists();
    endpoints.close();
    assertThat(first).doesNotExist();
    long open = OpenFiles.count();
    Path second = directory.resolve("b.sock");
    assertThat(endpoints.start(spec, spec.serving().at(second))).isFalse();
    assertThat(second).doesNotExist();
    assertThat(OpenFiles.count()).isEqualTo(open);
  }
}
