package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.UnixSocket;
import dev.peerbar.server.ListenAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DerivedSerialTest {
  @TempDir private Path directory;

  private static ListenAddress at(String path) {
    return new ListenAddress.AtPath(Path.of(path), UnixSocket.OWNER_ONLY);
  }

  @Test
  void anImageHasOneNumberHoweverItIsReached() throws Exception {
    Path image = Files.createFile(directory.resolve("image"));
    Path link = Files.createSymbolicLink(directory.resolve("link"), image);
    Path other = Files.createFile(directory.resolve("other"));
    String serial = DerivedSerial.of(Optional.of(image), at("/a"));
    assertThat(serial).matches("PB[0-9a-f]{16}");
    assertThat(DerivedSerial.of(Optional.of(link), at("/b"))).isEqualTo(serial);
    assertThat(DerivedSerial.of(Optional.of(directory.resolve("./image")), at("/b")))
        .isEqualTo(serial);
    assertThat(DerivedSerial.of(Optional.of(other), at("/a"))).isNotEqualTo(serial);
  }

  @Test
  void memoryHasANumberForEachSocket() {
    String serial = DerivedSerial.of(Optional.empty(), at("/run/a"));
    assertThat(DerivedSerial.of(Optional.empty(), at("/run/../run/a"))).isEqualTo(serial);
    assertThat(DerivedSerial.of(Optional.empty(), at("/run/b"))).isNotEqualTo(serial);
    assertThat(DerivedSerial.of(Optional.of(Path.of("/run/a")), at("/run/a"))).isNotEqualTo(serial);
    assertThat(DerivedSerial.of(Optional.empty(), new ListenAddress.Inherited(3)))
        .isNotEqualTo(DerivedSerial.of(Optional.empty(), new ListenAddress.Inherited(4)));
  }
}
