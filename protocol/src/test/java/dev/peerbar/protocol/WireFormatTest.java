package dev.peerbar.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.Errno;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Bytes by hand, from the specification's tables: a codec that is wrong both ways passes no test.
 */
class WireFormatTest {

  @Test
  void header() {
    Header header = new Header(0x1234, 9, 32, Header.Type.REPLY, true, true, 22);
    ByteBuf bytes = Unpooled.buffer();
    header.encode(bytes);
    assertThat(hex(bytes)).isEqualTo("34120900" + "20000000" + "31000000" + "16000000");
    assertThat(header.failure(Errno.EEXIST))
        .isEqualTo(new Header(0x1234, 9, 16, Header.Type.REPLY, false, true, 17));
    assertThat(Header.decode(bytes("34120900200000000200000000000000")).type())
        .isEqualTo(Header.Type.UNKNOWN);
  }

  @ParameterizedTest
  @EnumSource(Command.class)
  void commandsAreFoundByCode(Command command) {
    assertThat(Command.of(command.code())).contains(command);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 14, 19, 0xFFFF})
  void otherCodesAreNoCommand(int code) {
    assertThat(Command.of(code)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"VERSION,1", "DEVICE_RESET,13", "REGION_WRITE_MULTI,15", "MIG_DATA_WRITE,18"})
  void commandCodes(Command command, int code) {
    assertThat(command.code()).isEqualTo(code);
  }

  @Test
  void dmaMap() throws Exception {
    String wire =
        "20000000" + "03000000" + "0010000000000000" + "0000010000000000" + "0020000000000000";
    DmaMap.Request request =
        new DmaMap.Request(DmaMap.READABLE | DmaMap.WRITEABLE, 0x1000, 0x10000, 0x2000);
    assertThat(hex(request)).isEqualTo(wire);
    assertThat(DmaMap.Request.decode(bytes(wire))).isEqualTo(request);
    assertThat(DmaMap.Request.decode(bytes(wire + "00ff"))).isEqualTo(request);
    assertThatThrownBy(() -> DmaMap.Request.decode(bytes(wire.substring(2))))
        .isInstanceOf(InvalidMessageException.class);
  }

  @Test
  void regionInfoWithSparseAreas() throws Exception {
    DeviceGetRegionInfo.Reply reply =
        DeviceGetRegionInfo.Reply.full(
            DeviceGetRegionInfo.READ | DeviceGetRegionInfo.WRITE | DeviceGetRegionInfo.MMAP,
            2,
            0x8000,
            0x4000,
            List.of(
                new RegionCapability.SparseMmap(
                    List.of(new RegionCapability.SparseMmap.Area(0x1000, 0x2000)))));
    assertThat(hex(reply))
        .isEqualTo(
            "40000000"
                + "0f000000"
                + "02000000"
                + "20000000"
                + "0080000000000000"
                + "0040000000000000"
                + "01000100"
                + "00000000"
                + "01000000"
                + "00000000"
                + "0010000000000000"
                + "0020000000000000");
    assertThat(hex(reply.cutShort()))
        .isEqualTo(
            "40000000"
                + "0f000000"
                + "02000000"
                + "20000000"
                + "0080000000000000"
                + "0040000000000000");
  }

  @Test
  void capabilitiesThatTurnBackAreRefused() {
    String fixed =
        "30000000" + "08000000" + "00000000" + "20000000" + "0000000000000000" + "0000000000000000";
    assertThatThrownBy(() ->
            DeviceGetRegionInfo.Reply.decode(bytes(fixed + "0200000020000000" + "00".repeat(8))))
        .isInstanceOf(InvalidMessageException.class);
  }

  @Test
  void setIrqsWithBooleans() throws Exception {
    String wire = "16000000" + "22000000" + "02000000" + "01000000" + "02000000" + "0100";
    DeviceSetIrqs.Request request =
        new DeviceSetIrqs.Request(
            DeviceSetIrqs.DATA_BOOL | DeviceSetIrqs.ACTION_TRIGGER,
            PciIrq.MSIX,
            1,
            2,
            bytes("0100"));
    assertThat(hex(request)).isEqualTo(wire);
    assertThat(DeviceSetIrqs.Request.decode(bytes(wire))).isEqualTo(request);
    assertThatThrownBy(() -> DeviceSetIrqs.Request.decode(bytes(wire + "00")))
        .isInstanceOf(InvalidMessageException.class);
  }

  @Test
  void dmaWriteRepliesOfAllKnownClients() throws Exception {
    assertThat(DmaWrite.Reply.decode(bytes(""))).isEqualTo(new DmaWrite.Acknowledged());
    DmaWrite.Written written = new DmaWrite.Written(0x1000, 8);
    assertThat(DmaWrite.Reply.decode(bytes("0010000000000000" + "08000000"))).isEqualTo(written);
    assertThat(DmaWrite.Reply.decode(bytes("0010000000000000" + "0800000000000000")))
        .isEqualTo(written);
    assertThatThrownBy(() -> DmaWrite.Reply.decode(bytes("0010000000000000")))
        .isInstanceOf(InvalidMessageException.class);
  }

  @Test
  void writeMulti() throws Exception {
    String wire =
        "0100000000000000" + "1000000000000000" + "00000000" + "04000000" + "efbeadde00000000";
    RegionWriteMulti.Request request =
        new RegionWriteMulti.Request(List.of(new RegionWriteMulti.Write(16, 0, 4, 0xdeadbeefL)));
    assertThat(hex(request)).isEqualTo(wire);
    assertThat(RegionWriteMulti.Request.decode(bytes(wire))).isEqualTo(request);
    assertThatThrownBy(() ->
            RegionWriteMulti.Request.decode(
                bytes(wire.replace("00000000" + "04000000", "00000000" + "09000000"))))
        .isInstanceOf(InvalidMessageException.class);
    assertThatThrownBy(() -> RegionWriteMulti.Request.decode(bytes("ffffffffffffff0f")))
        .isInstanceOf(InvalidMessageException.class);
  }

  @Test
  void theFixedPartOfAFeatureIsThatOfTheRecord() {
    MigrationState state = new MigrationState(MigrationState.State.RESUMING, -1);
    ByteBuf data = Unpooled.buffer();
    state.encode(data);
    DeviceFeature.Reply reply = new DeviceFeature.Reply(DeviceFeature.GET | 2, data);
    assertThat(hex(reply)).isEqualTo("10000000" + "02000100" + "04000000" + "ffffffff");
    ByteBuf fixed = Unpooled.buffer();
    DeviceFeature.Reply.encodeFixed(fixed, DeviceFeature.GET | 2, data.readableBytes());
    assertThat(hex(fixed) + hex(data)).isEqualTo(hex(reply));
  }

  @Test
  void theFixedPartOfMigrationDataIsThatOfTheRecord() {
    ByteBuf data = bytes("0102030405");
    ByteBuf fixed = Unpooled.buffer(MigDataRead.DATA).writerIndex(MigDataRead.DATA);
    MigDataRead.Reply.encodeFixed(fixed, data.readableBytes());
    assertThat(hex(new MigDataRead.Reply(data))).isEqualTo(hex(fixed) + "0102030405");
    assertThat(hex(fixed)).isEqualTo("0d000000" + "05000000");
  }

  @Test
  void fixedPartsThatTheServerFillsInAreThoseOfTheRecords() {
    ByteBuf data = bytes("0102030405");
    ByteBuf read = Unpooled.buffer();
    RegionRead.Reply.encodeFixed(read, 7, 2, 5);
    assertThat(hex(read) + hex(data)).isEqualTo(hex(new RegionRead.Reply(7, 2, data)));
    ByteBuf write = Unpooled.buffer();
    DmaWrite.Request.encodeFixed(write, 7, 5);
    assertThat(hex(write) + hex(data)).isEqualTo(hex(new DmaWrite.Request(7, data)));
  }

  @Test
  void capabilitiesOfQemu() throws Exception {
    Capabilities capabilities =
        version(
            "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,"
                + "\"max_dma_maps\":65535,\"pgsizes\":4096,\"migration\":{\"pgsize\":4096,"
                + "\"max_bitmap_size\":268435456},\"write_multiple\":true,"
                + "\"twin_socket\":{\"supported\":true,\"fd_index\":0},\"new\":[1]}}\0");
    assertThat(capabilities.maxMsgFds()).isEqualTo(8);
    assertThat(capabilities.maxDataXferSize()).isEqualTo(1 << 20);
    assertThat(capabilities.writeMultiple()).isTrue();
    assertThat(capabilities.migration()).contains(Capabilities.Migration.DEFAULTS);
    assertThat(capabilities.twinSocket())
        .contains(new Capabilities.TwinSocket(true, OptionalInt.of(0)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "\0", "{}", "{}\0", "{\"capabilities\":{}}\0", "{\"more\":1}\0"})
  void nothingSaidMeansTheDefaults(String json) throws Exception {
    assertThat(version(json)).isEqualTo(Capabilities.DEFAULTS);
    assertThat(Capabilities.DEFAULTS.maxMsgFds()).isEqualTo(1);
    assertThat(Capabilities.DEFAULTS.maxDataXferSize()).isEqualTo(1048576);
    assertThat(Capabilities.DEFAULTS.maxDmaMaps()).isEqualTo(65535);
    assertThat(Capabilities.DEFAULTS.pgsizes()).isEqualTo(4096);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{",
        "nonsense",
        "[]",
        "1",
        "null",
        "{}{}",
        "{}\0{}",
        "\0\0",
        "{\"capabilities\":1}",
        "{\"capabilities\":null}",
        "{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
        "{\"capabilities\":{\"max_msg_fds\":-1}}",
        "{\"capabilities\":{\"max_data_xfer_size\":1.5}}",
        "{\"capabilities\":{\"write_multiple\":1}}",
        "{\"capabilities\":{\"twin_socket\":true}}",
        "{\"capabilities\":{\"twin_socket\":{\"supported\":\"yes\"}}}"
      })
  void badJsonIsRefused(String json) {
    assertThatThrownBy(() -> version(json))
        .isInstanceOfSatisfying(
            InvalidMessageException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
  }

  @Test
  void jsonMadeToHurtIsRefused() {
    assertThatThrownBy(() -> version("[".repeat(500_000)))
        .isInstanceOf(InvalidMessageException.class);
    assertThatThrownBy(
            () -> version("{\"capabilities\":{\"max_msg_fds\":" + "9".repeat(100_000) + "}}"))
        .isInstanceOf(InvalidMessageException.class);
    assertThatThrownBy(() -> Version.Request.decode(bytes("00000000" + "ff7b7d")))
        .isInstanceOf(InvalidMessageException.class);
  }

  @Test
  void numbersTooLargeAreAsGoodAsTheLargest() throws Exception {
    Capabilities capabilities =
        version(
            "{\"capabilities\":{\"max_msg_fds\":4294967296,"
                + "\"max_data_xfer_size\":99999999999999999999}}");
    assertThat(capabilities.maxMsgFds()).isEqualTo(Integer.MAX_VALUE);
    assertThat(capabilities.maxDataXferSize()).isEqualTo(Long.MAX_VALUE);
  }

  private static Capabilities version(String json) throws InvalidMessageException {
    ByteBuf bytes = Unpooled.buffer().writeShortLE(0).writeShortLE(1);
    bytes.writeBytes(json.getBytes(StandardCharsets.UTF_8));
    return Version.Request.decode(bytes).capabilities();
  }

  private static String hex(Payload payload) {
    ByteBuf bytes = Unpooled.buffer();
    payload.encode(bytes);
    return hex(bytes);
  }

  private static String hex(ByteBuf bytes) {
    return ByteBufUtil.hexDump(bytes);
  }

  private static ByteBuf bytes(String hex) {
    return Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(hex));
  }
}
