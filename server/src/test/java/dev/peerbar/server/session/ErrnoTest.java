package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import dev.peerbar.protocol.RegionWriteMulti.Write;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is refused, with which errno: messages in general, the device's data and its regions. */
@Timeout(60)
final class ErrnoTest {
  private static final int UNKNOWN_TYPE = 2;
  private static final int TOO_MUCH = (1 << 20) + 1;

  @TempDir private Path directory;
  private Wire wire;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.connected(directory);
  }

  @AfterEach
  void stop() throws Exception {
    wire.close();
  }

  private void refuses(Errno errno, Command command, Payload payload, FileDescriptor... files)
      throws IOException {
    wire.refuses(errno, command, payload, files);
  }

  private static ByteBuf zeros(int length) {
    return Unpooled.buffer().writeZero(length);
  }

  // Messages in general.

  @Test
  void aSecondVersionIsEinval() throws Exception {
    refuses(Errno.EINVAL, Command.VERSION, new Version.Request(0, 0, Wire.capabilities()));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 14, 19, 4711, 0xffff})
  void anUnknownCommandIsEnosys(int command) throws Exception {
    wire.refuses(Errno.ENOSYS, command, zeros(24));
  }

  @Test
  void descriptorsOfAnUnknownCommandAreClosed() throws Exception {
    FileDescriptor event = wire.own(EventDescriptor.create());
    wire.refuses(Errno.ENOSYS, 99, zeros(8), event, event, event);
  }

  @ParameterizedTest
  @EnumSource(names = {"DMA_READ", "DMA_WRITE"})
  void theServersOwnCommandsAreEnotsup(Command command) throws Exception {
    refuses(Errno.ENOTSUP, command, new DmaRead.Request(0, 0));
  }

  @ParameterizedTest
  @EnumSource(
      names = {"VERSION", "DMA_READ", "DMA_WRITE", "DEVICE_RESET"},
      mode = EnumSource.Mode.EXCLUDE)
  void aTruncatedPayloadIsEinval(Command command) throws Exception {
    for (int length = 0; length < 8; length++) {
      wire.refuses(Errno.EINVAL, command.code(), zeros(length));
    }
  }

  @Test
  void aMessageThatIsNeitherCommandNorReplyIsEinval() throws Exception {
    wire.client().send(Wire.message(0xa001, Command.DEVICE_RESET.code(), UNKNOWN_TYPE, zeros(0)));
    Frame reply = wire.client().receive();
    assertThat(reply.header().errno()).isEqualTo(Errno.EINVAL.code());
    reply.release();
    wire.works();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 15, TOO_MUCH + 8192, Integer.MAX_VALUE, -1})
  void aSizeThatCannotBeClosesTheConnection(int size) throws Exception {
    FileDescriptor event = wire.own(EventDescriptor.create());
    ByteBuf message = Wire.message(1, Command.DEVICE_RESET.code(), 0, zeros(0));
    message.setIntLE(4, size);
    wire.client().send(message, event);
    wire.closed();
  }

  @Test
  void aReplyToNothingIsIgnored() throws Exception {
    long open = OpenFiles.count();
    FileDescriptor event = wire.own(EventDescriptor.create());
    int reply = 1;
    wire.client().send(Wire.message(1, Command.DMA_READ.code(), reply, zeros(16)), event);
    wire.client().send(Wire.message(2, Command.DEVICE_RESET.code(), reply, zeros(0)));
    wire.client().send(Wire.message(3, 999, reply, zeros(3)));
    wire.works();
    assertThat(OpenFiles.count()).isEqualTo(open + 1);
  }

  @Test
  void noReplyIsNeverRepliedTo() throws Exception {
    FileDescriptor event = wire.own(EventDescriptor.create());
    long open = OpenFiles.count();
    wire.post(Command.REGION_READ, new RegionRead.Request(0, Wire.REGISTERS, 4));
    wire.post(Command.REGION_READ, new RegionRead.Request(0, 77, 4));
    wire.post(Command.DEVICE_GET_INFO, new DeviceGetInfo.Request(0, 0, 0, 0), event);
    wire.post(Command.DEVICE_GET_REGION_INFO, new DeviceGetRegionInfo.Request(64, Wire.MEMORY));
    wire.post(
        Command.REGION_WRITE,
        new RegionWrite.Request(Wire.SCRATCH, Wire.REGISTERS, Unpooled.copyInt(0x01010101)));
    // Whatever was replied would have come before this.
    Frame reply = wire.ask(99, zeros(4));
    assertThat(reply.header().errno()).isEqualTo(Errno.ENOSYS.code());
    reply.release();
    assertThat(wire.client().readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(0x01010101);
    assertThat(OpenFiles.count()).isEqualTo(open);
  }

  @Test
  void requestsAreAnsweredInOrderWhoeverSharesAnId() throws Exception {
    ByteBuf burst = Unpooled.directBuffer();
    int requests = 500;
    for (int i = 0; i < requests; i++) {
      // Five ids for all of them, long before the replies can have come.
      ByteBuf read = Wire.bytes(new RegionRead.Request(i % 64, Wire.CONFIG, 1 + i % 7));
      burst.writeBytes(Wire.message(0xb000 + i % 5, Command.REGION_READ.code(), 0, read));
    }
    wire.client().send(burst);
    for (int i = 0; i < requests; i++) {
      Frame reply = wire.client().receive();
      assertThat(reply.header().id()).isEqualTo(0xb000 + i % 5);
      RegionRead.Reply read = RegionRead.Reply.decode(reply.payload());
      assertThat(read.offset()).isEqualTo(i % 64);
      assertThat(read.data().readableBytes()).isEqualTo(1 + i % 7);
      reply.release();
    }
  }

  @Test
  void concurrentCallersGetTheirOwnReplies() throws Exception {
    List<CompletableFuture<Frame>> replies = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      replies.add(
          wire.client().submit(Command.REGION_READ, new RegionRead.Request(i, Wire.CONFIG, 1)));
    }
    for (int i = 0; i < replies.size(); i++) {
      Frame reply = replies.get(i).get(20, TimeUnit.SECONDS);
      assertThat(RegionRead.Reply.decode(reply.payload()).offset()).isEqualTo(i);
      reply.release();
    }
  }

  @Test
  void aMessageInPiecesIsOneMessage() throws Exception {
    ByteBuf message =
        Wire.message(
            0xc000,
            Command.REGION_READ.code(),
            0,
            Wire.bytes(new RegionRead.Request(0, Wire.REGISTERS, 4)));
    while (message.isReadable()) {
      wire.client().send(Unpooled.copiedBuffer(message.readSlice(1)));
    }
    message.release();
    Frame reply = wire.client().receive();
    assertThat(RegionRead.Reply.decode(reply.payload()).data().readIntLE())
        .isEqualTo(Wire.ID_VALUE);
    reply.release();
  }

  // DEVICE_GET_INFO, DEVICE_GET_REGION_INFO, DEVICE_GET_IRQ_INFO, DEVICE_FEATURE.

  @ParameterizedTest
  @ValueSource(ints = {0, 15})
  void infoWithAShortArgszIsEinval(int argsz) throws Exception {
    refuses(Errno.EINVAL, Command.DEVICE_GET_INFO, new DeviceGetInfo.Request(argsz, 0, 0, 0));
  }

  @Test
  void infoWithFlagsIsEinval() throws Exception {
    refuses(Errno.EINVAL, Command.DEVICE_GET_INFO, new DeviceGetInfo.Request(16, 1, 0, 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 31})
  void regionInfoWithAShortArgszIsEinval(int argsz) throws Exception {
    refuses(
        Errno.EINVAL,
        Command.DEVICE_GET_REGION_INFO,
        new DeviceGetRegionInfo.Request(argsz, Wire.MEMORY));
  }

  @Test
  void regionInfoWithFlagsIsEinval() throws Exception {
    refuses(
        Errno.EINVAL,
        Command.DEVICE_GET_REGION_INFO,
        new DeviceGetRegionInfo.Request(64, 1, Wire.MEMORY, 0, 0, 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {9, 10, Integer.MAX_VALUE, -1})
  void infoOfARegionThatIsNoneIsEinval(int index) throws Exception {
    refuses(
        Errno.EINVAL, Command.DEVICE_GET_REGION_INFO, new DeviceGetRegionInfo.Request(64, index));
    wire.refuses(
        Errno.EINVAL,
        Command.DEVICE_GET_REGION_IO_FDS.code(),
        zeros(0).writeIntLE(64).writeIntLE(0).writeIntLE(index).writeIntLE(0));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 15})
  void irqInfoWithAShortArgszIsEinval(int argsz) throws Exception {
    refuses(
        Errno.EINVAL, Command.DEVICE_GET_IRQ_INFO, new DeviceGetIrqInfo.Request(argsz, 0, 0, 0));
  }

  @Test
  void irqInfoWithFlagsIsEinval() throws Exception {
    refuses(Errno.EINVAL, Command.DEVICE_GET_IRQ_INFO, new DeviceGetIrqInfo.Request(16, 1, 0, 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {5, 6, Integer.MAX_VALUE, -1})
  void infoOfAnInterruptThatIsNoneIsEinval(int index) throws Exception {
    refuses(
        Errno.EINVAL, Command.DEVICE_GET_IRQ_INFO, new DeviceGetIrqInfo.Request(16, 0, index, 0));
  }

  @Test
  void aLargeArgszIsFine() throws Exception {
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info =
        wire.client().regionInfo(Wire.MEMORY, -1)) {
      assertThat(info.value().size()).isEqualTo(Wire.BAR_SIZE);
      assertThat(info.descriptors()).hasSize(1);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 4, 5, 9, 0xffff})
  void aFeatureThatTheDeviceDoesNotHaveIsEnotty(int feature) throws Exception {
    refuses(
        Errno.ENOTTY,
        Command.DEVICE_FEATURE,
        new DeviceFeature.Request(64, feature | DeviceFeature.PROBE, zeros(0)));
    refuses(
        Errno.ENOTTY,
        Command.DEVICE_FEATURE,
        new DeviceFeature.Request(64, feature | DeviceFeature.GET, zeros(0)));
  }

  @Test
  void aFeatureWithAShortArgszIsEinval() throws Exception {
    refuses(
        Errno.EINVAL,
        Command.DEVICE_FEATURE,
        new DeviceFeature.Request(7, DeviceFeature.PROBE | 1, zeros(0)));
  }

  // REGION_READ, REGION_WRITE, REGION_WRITE_MULTI.

  @ParameterizedTest
  @ValueSource(ints = {9, 100, Integer.MIN_VALUE, -1})
  void accessToARegionThatIsNoneIsEinval(int region) throws Exception {
    refuses(Errno.EINVAL, Command.REGION_READ, new RegionRead.Request(0, region, 4));
    refuses(Errno.EINVAL, Command.REGION_WRITE, new RegionWrite.Request(0, region, zeros(4)));
    refuses(
        Errno.EINVAL,
        Command.REGION_WRITE_MULTI,
        new RegionWriteMulti.Request(List.of(new Write(0, region, 4, 0))));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 5, 6, 8})
  void accessToARegionThatTheDeviceDoesNotHaveIsEinval(int region) throws Exception {
    refuses(Errno.EINVAL, Command.REGION_READ, new RegionRead.Request(0, region, 4));
    refuses(Errno.EINVAL, Command.REGION_WRITE, new RegionWrite.Request(0, region, zeros(4)));
  }

  @ParameterizedTest
  @ValueSource(longs = {Wire.BAR_SIZE - 3, Wire.BAR_SIZE, Long.MAX_VALUE, Long.MIN_VALUE, -1, -4})
  void accessBeyondARegionIsEinval(long offset) throws Exception {
    refuses(Errno.EINVAL, Command.REGION_READ, new RegionRead.Request(offset, Wire.MEMORY, 4));
    refuses(
        Errno.EINVAL, Command.REGION_WRITE, new RegionWrite.Request(offset, Wire.MEMORY, zeros(4)));
    refuses(
        Errno.EINVAL,
        Command.REGION_WRITE_MULTI,
        new RegionWriteMulti.Request(List.of(new Write(offset, Wire.MEMORY, 4, 0))));
  }

  @ParameterizedTest
  @ValueSource(ints = {TOO_MUCH, Integer.MAX_VALUE, Integer.MIN_VALUE, -1})
  void aReadOfMoreThanMaxDataXferSizeIsEinval(int count) throws Exception {
    refuses(Errno.EINVAL, Command.REGION_READ, new RegionRead.Request(0, Wire.MEMORY, count));
  }

  @Test
  void aWriteOfMoreThanMaxDataXferSizeIsEinval() throws Exception {
    refuses(
        Errno.EINVAL,
        Command.REGION_WRITE,
        new RegionWrite.Request(0, Wire.MEMORY, zeros(TOO_MUCH)));
  }

  @Test
  void accessOfExactlyMaxDataXferSizeIsServed() throws Exception {
    byte[] data = new byte[1 << 20];
    data[data.length - 1] = 42;
    wire.client().regionWrite(Wire.MEMORY, 0, data);
    assertThat(wire.client().regionRead(Wire.MEMORY, 0, data.length)).isEqualTo(data);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 5, -1})
  void aWriteWhoseCountIsNotItsDataIsEinval(int count) throws Exception {
    ByteBuf write = Wire.bytes(new RegionWrite.Request(0, Wire.MEMORY, zeros(4)));
    write.setIntLE(12, count);
    wire.refuses(Errno.EINVAL, Command.REGION_WRITE.code(), write);
  }

  @Test
  void severalWritesAreJudgedBeforeTheFirstIsDone() throws Exception {
    Write good = new Write(Wire.SCRATCH, Wire.REGISTERS, 4, 0xdead);
    for (Write bad :
        List.of(
            new Write(0, 9, 4, 0),
            new Write(Wire.BAR_SIZE, Wire.MEMORY, 1, 0),
            new Write(0, Wire.MEMORY, 9, 0),
            new Write(0, Wire.MEMORY, -1, 0))) {
      refuses(
          Errno.EINVAL,
          Command.REGION_WRITE_MULTI,
          new RegionWriteMulti.Request(List.of(good, good, bad)));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 2, 1L << 32 | 1, -1})
  void severalWritesWhoseNumberIsWrongAreEinval(long count) throws Exception {
    ByteBuf writes =
        Wire.bytes(new RegionWriteMulti.Request(List.of(new Write(0, Wire.MEMORY, 4, 0))));
    writes.setLongLE(0, count);
    wire.refuses(Errno.EINVAL, Command.REGION_WRITE_MULTI.code(), writes);
  }

  /** Before the version is agreed on. */
  @org.junit.jupiter.api.Nested
  @Timeout(60)
  final class BeforeVersion {
    @TempDir private Path directory;
    private Wire wire;

    @BeforeEach
    void start() throws Exception {
      wire = Wire.silent(directory);
    }

    @AfterEach
    void stop() throws Exception {
      wire.close();
    }

    private void thenWorks() throws Exception {
      wire.client().negotiate(Wire.capabilities());
      wire.works();
    }

    private static ByteBuf version(int major, int minor, String json) {
      return Unpooled.buffer()
          .writeShortLE(major)
          .writeShortLE(minor)
          .writeBytes(json.getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @EnumSource(names = "VERSION", mode = EnumSource.Mode.EXCLUDE)
    void everyCommandIsEinval(Command command) throws Exception {
      long open = OpenFiles.count();
      FileDescriptor event = wire.own(EventDescriptor.create());
      wire.refusal(Errno.EINVAL, command.code(), Unpooled.EMPTY_BUFFER, event);
      assertThat(OpenFiles.count()).isEqualTo(open + 1);
      thenWorks();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 0xffff})
    void aMajorVersionThatIsNotOursIsEinvalAndTheEnd(int major) throws Exception {
      wire.refusal(Errno.EINVAL, Command.VERSION.code(), version(major, 0, "{}\0"));
      wire.closed();
      try (VfioUserClient next = wire.connect()) {
        assertThat(next.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
      }
    }

    @Test
    void aGoodVersionRightAfterAnIncompatibleOneChangesNothing() throws Exception {
      long open = OpenFiles.count();
      ByteBuf both = Wire.message(1, Command.VERSION.code(), 0, version(1, 0, "{}\0"));
      String twin = "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}\0";
      both.writeBytes(Wire.message(2, Command.VERSION.code(), 0, version(0, 1, twin)));
      wire.client().send(both);
      wire.closed();
      Wire.await("its socket to be closed", () -> OpenFiles.count() == open - 1);
      Frame reply = wire.client().receive();
      assertThat(reply.header().id()).isOne();
      reply.release();
      assertThatThrownBy(wire.client()::receive).isInstanceOf(EOFException.class);
    }

    @ParameterizedTest
    @ValueSource(
        strings = {
          "{",
          "[]\0",
          "7\0",
          "{}x\0",
          "\"text\"\0",
          "{\"capabilities\":7}\0",
          "{\"capabilities\":{\"max_msg_fds\":\"many\"}}\0",
          "{\"capabilities\":{\"max_data_xfer_size\":-1}}\0",
          "{\"capabilities\":{\"max_data_xfer_size\":0}}\0"
        })
    void versionDataThatIsNoneIsEinval(String json) throws Exception {
      wire.refusal(Errno.EINVAL, Command.VERSION.code(), version(0, 1, json));
      thenWorks();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3})
    void aShortVersionIsEinval(int length) throws Exception {
      wire.refusal(Errno.EINVAL, Command.VERSION.code(), zeros(length));
      thenWorks();
    }

    @Test
    void aNewerMinorVersionIsAnsweredWithOurs() throws Exception {
      Version.Reply reply =
          wire.client().negotiate(new Version.Request(0, 0x7fff, Wire.capabilities()));
      assertThat(reply.minor()).isEqualTo(Version.MINOR);
      wire.works();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\0", "{}\0", "{\"capabilities\":{}}\0", "{\"other\":[1]}"})
    void absentCapabilitiesAreDefaults(String json) throws Exception {
      Frame reply = wire.ask(Command.VERSION.code(), version(0, 1, json));
      assertThat(reply.header().error()).isFalse();
      reply.release();
      wire.works();
    }

    @Test
    void aDescriptorWithTheVersionIsClosed() throws Exception {
      long open = OpenFiles.count();
      try (UnixSocket.Pair pair = UnixSocket.pair()) {
        Frame reply = wire.ask(Command.VERSION.code(), version(0, 1, "{}\0"), pair.first());
        assertThat(reply.header().error()).isFalse();
        reply.release();
      }
      assertThat(OpenFiles.count()).isEqualTo(open);
      wire.works();
    }

    /** The length of the message ends the text too; who looks for the NUL of the reply finds it. */
    @Test
    void versionDataNeedNoNulAndTheReplyHasOne() throws Exception {
      Frame reply =
          wire.ask(Command.VERSION.code(), version(0, 1, "{\"capabilities\":{\"max_msg_fds\":0}}"));
      assertThat(reply.header().error()).isFalse();
      ByteBuf payload = reply.payload();
      assertThat(payload.getByte(payload.writerIndex() - 1)).isZero();
      reply.release();
      try (WithDescriptors<DeviceGetRegionInfo.Reply> info =
          wire.client().regionInfo(Wire.MEMORY)) {
        assertThat(info.descriptors()).as("what was proposed counts").isEmpty();
      }
    }

    @Test
    void anUnknownCommandIsEnosys() throws Exception {
      wire.refusal(Errno.ENOSYS, 99, Unpooled.EMPTY_BUFFER);
      thenWorks();
    }

    @Test
    void aResetIsNotDone() throws Exception {
      wire.post(Command.DEVICE_RESET, new DeviceReset.Request());
      thenWorks();
    }
  }
}
