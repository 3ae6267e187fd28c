package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.HostProgram;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Client memory in a file of a file system that is frozen: as the snapshot of a disk does it. */
@Timeout(240)
final class FrozenDiskTest {
  private static final long SIZE = 1 << 20;
  private static final long SOURCE = 1L << 32;
  private static final long TARGET = 1L << 33;

  @TempDir private Path directory;

  /** Whether an engine waits where no signal reaches it. */
  private static boolean engineWaits() throws IOException {
    try (Stream<Path> threads = Files.list(Path.of("/proc/self/task"))) {
      for (Path thread : threads.toList()) {
        String stat = Files.readString(thread.resolve("stat"));
        if (stat.contains("(hbm-") && stat.substring(stat.lastIndexOf(')')).startsWith(") D")) {
          return true;
        }
      }
      return false;
    }
  }

  @Test
  void theReplyToAnUnmapWaitsForItAndNothingElseDoes() throws Exception {
    Path image = directory.resolve("image");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(64 << 20);
    }
    Path disk = Files.createDirectory(directory.resolve("disk"));
    assumeTrue(HostProgram.run("mkfs.ext4", "-q", image.toString()), "no mkfs.ext4");
    assumeTrue(
        HostProgram.run("mount", "-o", "loop", image.toString(), disk.toString()),
        "no disk can be mounted");
    try (Wire wire = Wire.connected(directory)) {
      VfioUserClient client = wire.client();
      HbmChannel channel = wire.channel(0);
      Path path = Files.write(disk.resolve("memory"), new byte[(int) SIZE]);
      try (FileDescriptor file = OpenFiles.readWrite(path)) {
        client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(file));
      }
      client.dmaMap(
          Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(wire.memory(SIZE).randomise(1).file()));
      assumeTrue(
          HostProgram.run("fsfreeze", "--freeze", disk.toString()), "a disk cannot be frozen");
      CompletableFuture<Frame> reply;
      try {
        channel.submit(Descriptor.copy(SIZE).from(SOURCE).to(TARGET));
        Wire.await("the engine to wait", FrozenDiskTest::engineWaits);
        reply = client.submit(Command.DMA_UNMAP, new DmaUnmap.Request(24, 0, TARGET, SIZE));
        for (int i = 0; i < 100; i++) {
          assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
        }
        assertThat(reply).isNotDone();
      } finally {
        assertThat(HostProgram.run("fsfreeze", "--unfreeze", disk.toString())).isTrue();
      }
      Frame frame = reply.get(60, TimeUnit.SECONDS);
      assertThat(frame.header().error()).isFalse();
      frame.release();
      byte[] now = Files.readAllBytes(path);
      for (int i = 0; i < 100; i++) {
        assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
      }
      assertThat(Files.readAllBytes(path)).as("what it has after the reply").isEqualTo(now);
    } finally {
      assertThat(HostProgram.run("umount", disk.toString())).as("the file is closed").isTrue();
    }
  }
}
