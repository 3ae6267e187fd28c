package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.InvalidMessageException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is agreed for what is proposed, byte for byte as clients write it. */
final class NegotiationTest {
  private static final String LIMITS =
      "\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,\"max_dma_maps\":65535,\"pgsizes\":4096";
  private static final int REPLY_DATA = 4;

  /** What the session would do. */
  private static final class Recorded implements Negotiation.Outcome {
    private ClientLimits client;
    private boolean incompatible;
    private Optional<FileDescriptor> socket = Optional.empty();

    @Override
    public Optional<FileDescriptor> agreed(ClientLimits limits) {
      client = limits;
      return socket;
    }

    @Override
    public void incompatible() {
      incompatible = true;
    }
  }

  private final Recorded outcome = new Recorded();
  private int mappings = 2_097_152;

  private static Frame request(int major, int minor, String data, boolean noReply) {
    ByteBuf payload =
        Unpooled.buffer()
            .writeShortLE(major)
            .writeShortLE(minor)
            .writeBytes(data.getBytes(StandardCharsets.UTF_8));
    return new Frame(
        Header.request(1, Command.VERSION, payload.readableBytes(), noReply),
        payload,
        Descriptors.none());
  }

  private String negotiate(int minor, String data) throws Exception {
    return negotiate(request(0, minor, data, false));
  }

  /** The reply's minor version and JSON. */
  private String negotiate(Frame request) throws Exception {
    Frame reply = Negotiation.negotiate(request, mappings, outcome);
    try {
      ByteBuf payload = reply.payload();
      assertThat(payload.getUnsignedShortLE(0)).as("major").isZero();
      int length = payload.readableBytes() - REPLY_DATA - 1;
      assertThat(payload.getByte(REPLY_DATA + length)).as("the NUL at the end").isZero();
      String json = payload.toString(REPLY_DATA, length, StandardCharsets.UTF_8);
      return payload.getUnsignedShortLE(2) + " " + json;
    } finally {
      reply.release();
      request.release();
    }
  }

  private static String proposal(String capabilities) {
    return "{\"capabilities\":{" + capabilities + "}}\0";
  }

  private static String agreed(String more) {
    return "1 {\"capabilities\":{" + LIMITS + more + "}}";
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "\0",
        "{}\0",
        "{}",
        "{\"capabilities\":{}}\0",
        "{\"capabilities\":{}}",
        " { \"capabilities\" : { } } \0",
        "{\"other\":[1,{\"max_msg_fds\":3}],\"capabilities\":{\"unknown\":{\"a\":null}}}\0"
      })
  void nothingProposedIsTheDefaults(String data) throws Exception {
    assertThat(negotiate(1, data)).isEqualTo(agreed(""));
    assertThat(outcome.client).isEqualTo(new ClientLimits(0, 1, 1, 1 << 20, false));
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "1, 1", "2, 1", "0xffff, 1"})
  void theMinorVersionIsTheLowerOne(String proposed, int agreed) throws Exception {
    assertThat(negotiate(Integer.decode(proposed), "{}\0")).startsWith(agreed + " ");
    assertThat(outcome.client.minor()).isEqualTo(agreed);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 0xffff})
  void aMajorVersionThatIsNotServedEndsTheConnection(int major) {
    refused(request(major, 1, "{}\0", false));
    assertThat(outcome.incompatible).isTrue();
    assertThat(outcome.client).isNull();
  }

  private void refused(Frame request) {
    assertThatThrownBy(() -> Negotiation.negotiate(request, mappings, outcome))
        .isInstanceOfSatisfying(
            InvalidMessageException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
    request.release();
    assertThat(outcome.client).isNull();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"max_msg_fds\":0                        | 0          | 1048576",
        "\"max_msg_fds\":8                        | 8          | 1048576",
        "\"max_msg_fds\":4294967296               | 2147483647 | 1048576",
        "\"max_data_xfer_size\":1                 | 1          | 1",
        "\"max_data_xfer_size\":65536             | 1          | 65536",
        "\"max_data_xfer_size\":1048577           | 1          | 1048576",
        "\"max_data_xfer_size\":18446744073709551616 | 1       | 1048576",
        "\"max_dma_maps\":1                       | 1          | 1048576",
        "\"pgsizes\":65536                        | 1          | 1048576",
      })
  void limitsOfTheClientAreKeptAndOursAreSaid(String capability, int descriptors, int transfer)
      throws Exception {
    assertThat(negotiate(1, proposal(capability))).isEqualTo(agreed(""));
    assertThat(outcome.client.maxDescriptors()).isEqualTo(descriptors);
    assertThat(outcome.client.maxDataTransfer()).isEqualTo(transfer);
  }

  /**
   * An endpoint's own number is said to who may believe it: QEMU does not believe more than its.
   */
  @ParameterizedTest
  @CsvSource({
    "2097152, 1, 65535",
    "2097152, 65535, 65535",
    "2097152, 65536, 65536",
    "2097152, 2097152, 2097152",
    "2097152, 18446744073709551615, 2097152",
    "65536, 2097152, 65536",
    "100, 65535, 100",
    "1, 1, 1",
    "1, 0, 1",
  })
  void mappingsAreSaidAsFarAsTheClientKnowsOfSoMany(int most, String proposed, int said)
      throws Exception {
    mappings = most;
    assertThat(negotiate(1, proposal("\"max_dma_maps\":" + proposed)))
        .contains("\"max_dma_maps\":" + said + ",");
  }

  @Test
  void optionalFeaturesAreAgreedToIfProposed() throws Exception {
    assertThat(negotiate(1, proposal("\"write_multiple\":true")))
        .isEqualTo(agreed(",\"write_multiple\":true"));
    assertThat(negotiate(1, proposal("\"write_multiple\":false"))).isEqualTo(agreed(""));
    String migration = ",\"migration\":{\"pgsize\":4096,\"max_bitmap_size\":268435456}";
    assertThat(negotiate(1, proposal("\"migration\":{}"))).isEqualTo(agreed(migration));
    assertThat(
            negotiate(
                1, proposal("\"migration\":{\"pgsize\":65536,\"max_bitmap_size\":268435456}")))
        .isEqualTo(agreed(migration));
  }

  /** What QEMU 11 proposes, and what it checks in the reply. */
  @Test
  void qemuFindsWhatItWants() throws Exception {
    String reply =
        negotiate(
            0,
            proposal(
                "\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"pgsizes\":4096,"
                    + "\"max_dma_maps\":65535,\"migration\":{\"pgsize\":4096,"
                    + "\"max_bitmap_size\":268435456},\"write_multiple\":true"));
    assertThat(reply).startsWith("0 ");
    JsonNode capabilities = new ObjectMapper().readTree(reply.substring(2)).get("capabilities");
    assertThat(capabilities.get("max_msg_fds").intValue()).isLessThanOrEqualTo(16);
    assertThat(capabilities.get("max_data_xfer_size").intValue()).isLessThanOrEqualTo(1 << 20);
    assertThat(capabilities.get("pgsizes").intValue()).isEqualTo(4096);
    assertThat(capabilities.get("max_dma_maps").intValue()).isLessThanOrEqualTo(65535);
    JsonNode migration = capabilities.get("migration");
    assertThat(migration.get("pgsize").intValue() % 4096).isZero();
    assertThat(migration.get("max_bitmap_size").intValue()).isLessThanOrEqualTo(256 << 20);
    assertThat(capabilities.get("write_multiple").booleanValue()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{",
        "}",
        "[]",
        "7",
        "null",
        "\"text\"",
        " ",
        "\0\0",
        "{}{}",
        "{}x",
        "{}\0x",
        "{}\0{}",
        "{}\0\0",
        "{\"capabilities\":7}",
        "{\"capabilities\":null}",
        "{\"capabilities\":[]}",
        "{\"capabilities\":{},\"capabilities\":{}}",
        "{\"capabilities\":{\"max_msg_fds\":1,\"max_msg_fds\":2}}",
        "{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
        "{\"capabilities\":{\"max_msg_fds\":-1}}",
        "{\"capabilities\":{\"max_msg_fds\":1.5}}",
        "{\"capabilities\":{\"max_msg_fds\":1e3}}",
        "{\"capabilities\":{\"max_msg_fds\":true}}",
        "{\"capabilities\":{\"max_msg_fds\":null}}",
        "{\"capabilities\":{\"max_msg_fds\":NaN}}",
        "{\"capabilities\":{\"max_data_xfer_size\":0}}",
        "{\"capabilities\":{\"max_data_xfer_size\":{}}}",
        "{\"capabilities\":{\"max_dma_maps\":[1]}}",
        "{\"capabilities\":{\"pgsizes\":\"4k\"}}",
        "{\"capabilities\":{\"write_multiple\":1}}",
        "{\"capabilities\":{\"write_multiple\":\"true\"}}",
        "{\"capabilities\":{\"twin_socket\":true}}",
        "{\"capabilities\":{\"twin_socket\":{\"supported\":1}}}",
        "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":-1}}}",
        "{\"capabilities\":{\"migration\":true}}",
        "{\"capabilities\":{\"migration\":{\"pgsize\":\"4096\"}}}",
        "{'capabilities':{}}",
        "{\"capabilities\":{},}",
        "{/* no JSON */}"
      })
  void dataThatIsNoneIsEinval(String data) {
    refused(request(0, 1, data + "\0", false));
    assertThat(outcome.incompatible).as("another proposal may be good").isFalse();
  }

  @Test
  void dataThatIsNoUtf8IsEinval() {
    ByteBuf payload =
        Unpooled.buffer().writeIntLE(1 << 16).writeBytes(new byte[] {'{', '"', (byte) 0xff, '"'});
    refused(
        new Frame(
            Header.request(1, Command.VERSION, payload.readableBytes(), false),
            payload,
            Descriptors.none()));
  }

  @Test
  void deepNestingIsEinvalAndTakesNoStack() {
    refused(request(0, 1, "{\"a\":" + "[".repeat(500_000), false));
    refused(request(0, 1, "{\"a\":" + "[".repeat(2000) + "]".repeat(2000) + "}\0", false));
    refused(request(0, 1, "{\"a\":".repeat(2000) + "1" + "}".repeat(2000), false));
  }

  @Test
  void hugeNumbersAreEinvalOrTheLargest() throws Exception {
    refused(request(0, 1, proposal("\"max_msg_fds\":" + "9".repeat(100_000)), false));
    negotiate(1, proposal("\"max_msg_fds\":" + "9".repeat(900)));
    assertThat(outcome.client.maxDescriptors()).isEqualTo(Integer.MAX_VALUE);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"twin_socket\":{}                                                  | false",
        "\"max_msg_fds\":4,\"twin_socket\":{\"supported\":false}               | false",
        "\"max_msg_fds\":0,\"twin_socket\":{\"supported\":true}                | false",
        "\"twin_socket\":{\"supported\":true}                                | true",
        "\"twin_socket\":{\"supported\":true,\"fd_index\":7}                   | true"
      })
  void aTwinSocketIsForThoseWhoWantAndCanReceiveIt(String capability, boolean wanted)
      throws Exception {
    assertThat(negotiate(1, proposal(capability))).isEqualTo(agreed(""));
    assertThat(outcome.client.twinSocket()).isEqualTo(wanted);
  }

  @Test
  void withoutAReplyThereIsNoTwinSocket() throws Exception {
    negotiate(request(0, 1, proposal("\"twin_socket\":{\"supported\":true}"), true));
    assertThat(outcome.client.twinSocket()).isFalse();
  }

  @Test
  void aTwinSocketComesAlong() throws Exception {
    try (UnixSocket.Pair pair = UnixSocket.pair()) {
      outcome.socket = Optional.of(pair.first());
      Frame request = request(0, 1, proposal("\"twin_socket\":{\"supported\":true}"), false);
      Frame reply = Negotiation.negotiate(request, mappings, outcome);
      assertThat(reply.payload().toString(StandardCharsets.UTF_8))
          .contains(",\"twin_socket\":{\"supported\":true,\"fd_index\":0}");
      assertThat(reply.descriptors().get(0)).contains(pair.first());
      reply.release();
      request.release();
      assertThat(pair.first().isOpen()).isFalse();
    }
  }
}
