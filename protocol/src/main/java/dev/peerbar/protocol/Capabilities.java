package dev.peerbar.protocol;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a side can do, as JSON in its VERSION message (vfio-user, Version).
 *
 * @param maxMsgFds how many file descriptors it can receive in one message
 * @param maxDataXferSize the most data of one read or write message, in bytes
 * @param maxDmaMaps how many DMA mappings there can be at a time
 * @param pgsizes page sizes that DMA mappings can have, in bytes, or'ed together
 * @param twinSocket a second socket for the requests of the server
 * @param writeMultiple whether it knows REGION_WRITE_MULTI
 * @param migration what QEMU and the reference library say of dirty page tracking; the
 *     specification has dropped it
 */
public record Capabilities(
    int maxMsgFds,
    long maxDataXferSize,
    int maxDmaMaps,
    long pgsizes,
    Optional<TwinSocket> twinSocket,
    boolean writeMultiple,
    Optional<Migration> migration) {

  /** What a side says that says nothing. */
  public static final Capabilities DEFAULTS =
      new Capabilities(1, 1 << 20, 65535, 4096, Optional.empty(), false, Optional.empty());

  private static final String CAPABILITIES = "capabilities";
  private static final String MAX_MSG_FDS = "max_msg_fds";
  private static final String MAX_DATA_XFER_SIZE = "max_data_xfer_size";
  private static final String MAX_DMA_MAPS = "max_dma_maps";
  private static final String PGSIZES = "pgsizes";
  private static final String TWIN_SOCKET = "twin_socket";
  private static final String SUPPORTED = "supported";
  private static final String FD_INDEX = "fd_index";
  private static final String WRITE_MULTIPLE = "write_multiple";
  private static final String MIGRATION = "migration";
  private static final String PGSIZE = "pgsize";
  private static final String MAX_BITMAP_SIZE = "max_bitmap_size";

  private static final ObjectMapper JSON =
      new ObjectMapper()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          // Which of two would count is anyone's guess, and the two sides may guess differently.
          .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY);

  /**
   * A second socket for the requests of the server.
   *
   * @param supported whether there can be, or is, one
   * @param fdIndex in a reply, which of the descriptors that come along it is
   */
  public record TwinSocket(boolean supported, OptionalInt fdIndex) {}

  /**
   * Dirty page tracking.
   *
   * @param pgsize what one bit stands for, in bytes
   * @param maxBitmapSize in bytes
   */
  public record Migration(long pgsize, long maxBitmapSize) {
    /** What is meant by a size that is not there. */
    public static final Migration DEFAULTS = new Migration(4096, 256 << 20);
  }

  /** The length of the JSON with the NUL that ends it, in bytes. */
  int encodedSize() {
    return json().length + 1;
  }

  /** Appends the JSON and a NUL. */
  void encode(ByteBuf out) {
    out.writeBytes(json());
    out.writeByte(0);
  }

  private byte[] json() {
    ObjectNode root = JSON.createObjectNode();
    ObjectNode node = root.putObject(CAPABILITIES);
    node.put(MAX_MSG_FDS, maxMsgFds);
    node.put(MAX_DATA_XFER_SIZE, maxDataXferSize);
    node.put(MAX_DMA_MAPS, maxDmaMaps);
    node.put(PGSIZES, pgsizes);
    twinSocket.ifPresent(twin -> {
      ObjectNode twinNode = node.putObject(TWIN_SOCKET);
      twinNode.put(SUPPORTED, twin.supported());
      twin.fdIndex().ifPresent(index -> twinNode.put(FD_INDEX, index));
    });
    if (writeMultiple) {
      node.put(WRITE_MULTIPLE, true);
    }
    migration.ifPresent(tracking -> {
      ObjectNode trackingNode = node.putObject(MIGRATION);
      trackingNode.put(PGSIZE, tracking.pgsize());
      trackingNode.put(MAX_BITMAP_SIZE, tracking.maxBitmapSize());
    });
    return root.toString().getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Reads the JSON. Nothing, or a NUL only, means the defaults; a missing NUL at the end is
   * overlooked, and so are names that the specification does not have. Numbers too large for the
   * type are as good as the largest.
   *
   * @throws InvalidMessageException if it is not JSON, a name is there twice, or a value is not of
   *     the type it should be, or negative
   */
  static Capabilities decode(ByteBuf in) throws InvalidMessageException {
    String text = text(in);
    if (text.isEmpty()) {
      return DEFAULTS;
    }
    try {
      JsonNode root = JSON.readTree(text);
      if (!root.isObject()) {
        throw new InvalidMessageException("version data is no JSON object");
      }
      return of(object(root, CAPABILITIES));
    } catch (JsonProcessingException e) {
      throw new InvalidMessageException("version data: " + e.getOriginalMessage());
    }
  }

  private static String text(ByteBuf in) throws InvalidMessageException {
    byte[] bytes = new byte[in.readableBytes()];
    in.getBytes(in.readerIndex(), bytes);
    boolean terminated = bytes.length > 0 && bytes[bytes.length - 1] == 0;
    int length = terminated ? bytes.length - 1 : bytes.length;
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(bytes, 0, length))
          .toString();
    } catch (CharacterCodingException e) {
      throw new InvalidMessageException("version data is not UTF-8");
    }
  }

  private static Capabilities of(Optional<JsonNode> capabilities) throws InvalidMessageException {
    if (capabilities.isEmpty()) {
      return DEFAULTS;
    }
    JsonNode node = capabilities.get();
    return new Capabilities(
        saturated(number(node, MAX_MSG_FDS, DEFAULTS.maxMsgFds)),
        number(node, MAX_DATA_XFER_SIZE, DEFAULTS.maxDataXferSize),
        saturated(number(node, MAX_DMA_MAPS, DEFAULTS.maxDmaMaps)),
        number(node, PGSIZES, DEFAULTS.pgsizes),
        twinSocket(object(node, TWIN_SOCKET)),
        bool(node, WRITE_MULTIPLE),
        migration(object(node, MIGRATION)));
  }

  private static Optional<TwinSocket> twinSocket(Optional<JsonNode> node)
      throws InvalidMessageException {
    if (node.isEmpty()) {
      return Optional.empty();
    }
    OptionalInt index =
        node.get().has(FD_INDEX)
            ? OptionalInt.of(saturated(number(node.get(), FD_INDEX, 0)))
            : OptionalInt.empty();
    return Optional.of(new TwinSocket(bool(node.get(), SUPPORTED), index));
  }

  private static Optional<Migration> migration(Optional<JsonNode> node)
      throws InvalidMessageException {
    if (node.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        new Migration(
            number(node.get(), PGSIZE, Migration.DEFAULTS.pgsize),
            number(node.get(), MAX_BITMAP_SIZE, Migration.DEFAULTS.maxBitmapSize)));
  }

  private static Optional<JsonNode> object(JsonNode parent, String name)
      throws InvalidMessageException {
    JsonNode node = parent.get(name);
    if (node != null && !node.isObject()) {
      throw new InvalidMessageException(name + " is no object");
    }
    return Optional.ofNullable(node);
  }

  private static boolean bool(JsonNode parent, String name) throws InvalidMessageException {
    JsonNode node = parent.get(name);
    if (node != null && !node.isBoolean()) {
      throw new InvalidMessageException(name + " is no boolean");
    }
    return node != null && node.booleanValue();
  }

  private static long number(JsonNode parent, String name, long absent)
      throws InvalidMessageException {
    JsonNode node = parent.get(name);
    if (node == null) {
      return absent;
    }
    if (!node.isIntegralNumber() || node.bigIntegerValue().signum() < 0) {
      throw new InvalidMessageException(name + " is no natural number");
    }
    return node.canConvertToLong() ? node.longValue() : Long.MAX_VALUE;
  }

  private static int saturated(long number) {
    return (int) Math.min(number, Integer.MAX_VALUE);
  }
}
