package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.server.ServerOptions;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** DMA_MAP and DMA_UNMAP: what is refused, with which errno, and what is not. */
@Timeout(60)
final class DmaErrnoTest {
  private static final long PAGE = GuestMemory.PAGE;
  private static final long SIZE = 4 * PAGE;
  private static final long IOVA = 0x10_0000;
  private static final int UNMAP_ALL = 1 << 1;
  private static final int MAP_LENGTH = 32;
  private static final int UNMAP_LENGTH = 24;

  @TempDir private Path directory;
  private Wire wire;
  private FileDescriptor file;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.connected(directory);
    file = wire.memory(SIZE).file();
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private int mappings() throws IOException {
    // A request that changes nothing orders the server's thread before this one.
    wire.works();
    return wire.server().function().bus().table().size();
  }

  private void refusesMap(Errno errno, DmaMap.Request request, FileDescriptor... files)
      throws IOException {
    wire.refuses(errno, Command.DMA_MAP, request, files);
  }

  private static DmaMap.Request map(long iova, long size) {
    return new DmaMap.Request(Wire.READ_WRITE, 0, iova, size);
  }

  private void mapped(long iova, long size) throws IOException {
    wire.client().dmaMap(Wire.READ_WRITE, 0, iova, size, Optional.of(file));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, MAP_LENGTH - 1})
  void mapWithAShortArgszIsEinval(int argsz) throws Exception {
    refusesMap(Errno.EINVAL, new DmaMap.Request(argsz, Wire.READ_WRITE, 0, IOVA, PAGE), file);
  }

  @Test
  void mapWithALargeArgszIsServed() throws Exception {
    Frame reply =
        wire.ask(
            Command.DMA_MAP.code(),
            Wire.bytes(new DmaMap.Request(-1, Wire.READ_WRITE, 0, IOVA, PAGE)),
            file);
    assertThat(reply.header().error()).isFalse();
    reply.release();
    assertThat(mappings()).isOne();
  }

  @ParameterizedTest
  @ValueSource(ints = {4 | 3, 1 << 31 | 3, -1})
  void mapWithUnknownFlagsIsEinval(int flags) throws Exception {
    refusesMap(Errno.EINVAL, new DmaMap.Request(flags, 0, IOVA, PAGE), file);
  }

  @Test
  void mapWithoutPermissionIsEinval() throws Exception {
    refusesMap(Errno.EINVAL, new DmaMap.Request(0, 0, IOVA, PAGE), file);
  }

  @Test
  void mapOfNothingIsEinval() throws Exception {
    refusesMap(Errno.EINVAL, map(IOVA, 0), file);
    refusesMap(Errno.EINVAL, map(IOVA, 0));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1048577, 4096",
    "0, 1048576, 4095",
    "0, 1048576, 4097",
    "1, 1048576, 4096",
    "2048, 1048576, 4096"
  })
  void mapOffPageBoundariesIsEinval(long offset, long iova, long size) throws Exception {
    refusesMap(Errno.EINVAL, new DmaMap.Request(Wire.READ_WRITE, offset, iova, size), file);
  }

  @ParameterizedTest
  @CsvSource({"-4096, 8192", "8192, -4096", "-8192, 9223372036854771712"})
  void mapThatWrapsIsEinval(long iova, long size) throws Exception {
    refusesMap(Errno.EINVAL, map(iova, size), file);
    refusesMap(Errno.EINVAL, map(iova, size));
  }

  @Test
  void mapOfTheLastPageIsServed() throws Exception {
    mapped(-PAGE, PAGE);
    assertThat(mappings()).isOne();
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "0, 2", "1, 1", "1, 2", "0, 4", "2, 1", "2, 2"})
  void mapThatOverlapsIsEexist(int page, int pages) throws Exception {
    mapped(IOVA + PAGE, 2 * PAGE);
    boolean overlaps = page + pages > 1;
    if (overlaps) {
      refusesMap(Errno.EEXIST, map(IOVA + page * PAGE, pages * PAGE), file);
      refusesMap(Errno.EEXIST, map(IOVA + page * PAGE, pages * PAGE));
    } else {
      mapped(IOVA + page * PAGE, pages * PAGE);
      assertThat(mappings()).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @CsvSource({"0, 20480", "4096, 16384", "16384, 4096", "9223372036854771712, 4096", "-4096, 4096"})
  void mapBeyondTheFileIsEinval(long offset, long size) throws Exception {
    refusesMap(Errno.EINVAL, new DmaMap.Request(Wire.READ_WRITE, offset, IOVA, size), file);
  }

  @Test
  void mapWithAnOffsetButNoFileIsEinval() throws Exception {
    refusesMap(Errno.EINVAL, new DmaMap.Request(Wire.READ_WRITE, PAGE, IOVA, PAGE));
  }

  @Test
  void mapOfWhatCannotBeMappedIsEnodev() throws Exception {
    for (FileDescriptor end : OpenFiles.pipe()) {
      refusesMap(Errno.ENODEV, map(IOVA, PAGE), wire.own(end));
    }
    try (UnixSocket.Pair pair = UnixSocket.pair()) {
      refusesMap(Errno.ENODEV, map(IOVA, PAGE), pair.first());
    }
    refusesMap(Errno.ENODEV, map(IOVA, PAGE), wire.own(EventDescriptor.create()));
  }

  @Test
  void mapOfADirectoryIsEnodev() throws Exception {
    FileDescriptor opened = wire.own(OpenFiles.readOnly(directory));
    refusesMap(Errno.ENODEV, new DmaMap.Request(DmaMap.READABLE, 0, IOVA, PAGE), opened);
  }

  @Test
  void writableMapOfAReadOnlyDescriptorIsEacces() throws Exception {
    Path path = Files.write(directory.resolve("ram"), new byte[(int) SIZE]);
    FileDescriptor readOnly = wire.own(OpenFiles.readOnly(path));
    refusesMap(Errno.EACCES, map(IOVA, PAGE), readOnly);
    refusesMap(Errno.EACCES, new DmaMap.Request(DmaMap.WRITEABLE, 0, IOVA, PAGE), readOnly);
    wire.client().dmaMap(DmaMap.READABLE, 0, IOVA, PAGE, Optional.of(readOnly));
    // Nor does a second descriptor of the same file lend its access to the first.
    FileDescriptor readWrite = wire.own(OpenFiles.readWrite(path));
    wire.client().dmaMap(Wire.READ_WRITE, 0, IOVA + SIZE, PAGE, Optional.of(readWrite));
    refusesMap(Errno.EACCES, map(IOVA + PAGE, PAGE), readOnly);
  }

  @Test
  void mapOfAWriteOnlyDescriptorIsEacces() throws Exception {
    Path path = Files.write(directory.resolve("ram"), new byte[(int) SIZE]);
    FileDescriptor writeOnly = wire.own(OpenFiles.writeOnly(path));
    refusesMap(Errno.EACCES, map(IOVA, PAGE), writeOnly);
  }

  @Test
  @Timeout(300)
  void aFullTableIsEnospc() throws Exception {
    int most = ServerOptions.DMA_MAPS;
    int burst = 1024;
    for (int done = 0; done < most; done += burst) {
      ByteBuf messages = Unpooled.directBuffer();
      for (int i = done; i < Math.min(most, done + burst); i++) {
        ByteBuf request = Wire.bytes(map(IOVA + i * PAGE, PAGE));
        int noReply = 1 << 4;
        messages.writeBytes(Wire.message(i, Command.DMA_MAP.code(), noReply, request));
      }
      wire.client().send(messages);
    }
    assertThat(mappings()).isEqualTo(most);
    refusesMap(Errno.ENOSPC, map(IOVA + most * PAGE, PAGE), file);
    refusesMap(Errno.ENOSPC, map(IOVA + most * PAGE, PAGE));
    wire.client().dmaUnmap(IOVA, PAGE);
    mapped(IOVA, PAGE);
    assertThat(mappings()).isEqualTo(most);
  }

  // DMA_UNMAP.

  private void refusesUnmap(DmaUnmap.Request request) throws IOException {
    wire.refuses(Errno.EINVAL, Command.DMA_UNMAP, request);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, UNMAP_LENGTH - 1})
  void unmapWithAShortArgszIsEinval(int argsz) throws Exception {
    mapped(IOVA, SIZE);
    refusesUnmap(new DmaUnmap.Request(argsz, 0, IOVA, SIZE));
  }

  @Test
  void unmapWithALargeArgszIsServed() throws Exception {
    mapped(IOVA, SIZE);
    Frame reply =
        wire.ask(Command.DMA_UNMAP.code(), Wire.bytes(new DmaUnmap.Request(-1, 0, IOVA, SIZE)));
    assertThat(DmaUnmap.Reply.decode(reply.payload()).size()).isEqualTo(SIZE);
    reply.release();
    assertThat(mappings()).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4, UNMAP_ALL | 1, -1})
  void unmapWithUnknownFlagsIsEinval(int flags) throws Exception {
    mapped(IOVA, SIZE);
    refusesUnmap(new DmaUnmap.Request(UNMAP_LENGTH, flags, IOVA, SIZE));
  }

  @ParameterizedTest
  @CsvSource({"1048576, 0", "1048577, 4096", "1048576, 4095", "-4096, 8192", "8192, -4096"})
  void unmapOfARangeThatIsNoneIsEinval(long iova, long size) throws Exception {
    mapped(IOVA, SIZE);
    refusesUnmap(new DmaUnmap.Request(iova, size));
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "1, 3", "1, 2", "-1, 2", "3, 2", "-1, 4"})
  void unmapThatCutsAMappingIsEinval(int page, int pages) throws Exception {
    mapped(IOVA, SIZE);
    mapped(IOVA + 2 * SIZE, SIZE);
    refusesUnmap(new DmaUnmap.Request(IOVA + page * PAGE, pages * PAGE));
    assertThat(mappings()).isEqualTo(2);
  }

  @Test
  void unmapRemovesWhatLiesWhollyInside() throws Exception {
    mapped(IOVA, PAGE);
    mapped(IOVA + 2 * PAGE, PAGE);
    mapped(IOVA + 0x10_0000, PAGE);
    assertThat(wire.client().dmaUnmap(0, IOVA + 4 * PAGE).size()).isEqualTo(IOVA + 4 * PAGE);
    assertThat(mappings()).isOne();
  }

  @Test
  void unmapOfNothingIsServed() throws Exception {
    mapped(IOVA, PAGE);
    wire.client().dmaUnmap(IOVA + PAGE, SIZE);
    wire.client().dmaUnmap(1L << 63, 1L << 62);
    assertThat(mappings()).isOne();
  }

  @Test
  void unmapAllTakesNoRange() throws Exception {
    mapped(IOVA, PAGE);
    refusesUnmap(new DmaUnmap.Request(UNMAP_LENGTH, UNMAP_ALL, IOVA, 0));
    refusesUnmap(new DmaUnmap.Request(UNMAP_LENGTH, UNMAP_ALL, 0, PAGE));
  }

  @Test
  void unmapAllRemovesEverything() throws Exception {
    long open = OpenFiles.count();
    mapped(IOVA, PAGE);
    mapped(-PAGE, PAGE);
    Frame reply =
        wire.ask(
            Command.DMA_UNMAP.code(),
            Wire.bytes(new DmaUnmap.Request(UNMAP_LENGTH, UNMAP_ALL, 0, 0)));
    assertThat(reply.header().error()).isFalse();
    reply.release();
    assertThat(mappings()).isZero();
    assertThat(OpenFiles.count()).isEqualTo(open);
  }

  @Test
  void mappingsOfOneFileShareOneDescriptorAndOneMapping() throws Exception {
    GuestMemory shared = wire.own(new GuestMemory("shared-by-many", 1000 * PAGE));
    long ours = OpenFiles.mappings("shared-by-many");
    long open = OpenFiles.count();
    for (int i = 0; i < 1000; i++) {
      long offset = (i * 7L % 1000) * PAGE;
      wire.client()
          .dmaMap(Wire.READ_WRITE, offset, IOVA + i * PAGE, PAGE, Optional.of(shared.file()));
    }
    assertThat(OpenFiles.count() - open).isLessThanOrEqualTo(1);
    assertThat(OpenFiles.mappings("shared-by-many") - ours).isOne();
    wire.client().dmaUnmap(0, 1L << 62);
    assertThat(OpenFiles.count()).isEqualTo(open);
    assertThat(OpenFiles.mappings("shared-by-many")).isEqualTo(ours);
  }
}
