package dev.peerbar.devices.gpu;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;
import java.util.UUID;

/**
 * What a driver has made with RESOURCE_CREATE_2D or RESOURCE_CREATE_BLOB. For the engine's thread.
 */
final class Resource {
  private static final int UUID_BYTES = 16;

  private final Contents contents;
  private Optional<Backing> backing = Optional.empty();
  private byte[] uuid;

  /** What it consists of. */
  sealed interface Contents {

    /** What it counts as of what a driver may have. */
    long hostBytes();
  }

  /**
   * Pixels that the device keeps: what has been transferred last.
   *
   * @param format of what is transferred, not of the pixels, which are ARGB
   */
  record Image(Format format, int width, int height, int[][] rows) implements Contents {

    /** With every byte zero, as the driver would see it. */
    static Image blank(Format format, int width, int height) {
      int[][] rows = new int[height][width];
      int zero = format.argb(0);
      if (zero != 0) {
        for (int[] row : rows) {
          Arrays.fill(row, zero);
        }
      }
      return new Image(format, width, height, rows);
    }

    /** Some of its rows, which are the image's still. */
    int[][] rows(int first, int count) {
      return Arrays.copyOfRange(rows, first, first + count);
    }

    @Override
    public long hostBytes() {
      return HostMemory.ofPixels(width, height);
    }
  }

  /**
   * Bytes of the client's, read where they lie.
   *
   * @param size in bytes, not negative
   */
  record Blob(long size) implements Contents {

    @Override
    public long hostBytes() {
      return 0;
    }
  }

  Resource(Contents contents) {
    this.contents = contents;
  }

  Contents contents() {
    return contents;
  }

  /**
   * @throws CommandException if it is a blob, of which nobody knows how large an image it is
   */
  Image image() throws CommandException {
    if (contents instanceof Image image) {
      return image;
    }
    throw new CommandException(ResponseType.ERR_INVALID_PARAMETER);
  }

  /**
   * @throws CommandException if it is no blob
   */
  Blob blob() throws CommandException {
    if (contents instanceof Blob blob) {
      return blob;
    }
    throw new CommandException(ResponseType.ERR_INVALID_PARAMETER);
  }

  Optional<Backing> backing() {
    return backing;
  }

  /**
   * @throws CommandException if it has none
   */
  Backing requireBacking() throws CommandException {
    return backing.orElseThrow(() -> new CommandException(ResponseType.ERR_UNSPEC));
  }

  void attach(Backing newBacking) {
    backing = Optional.of(newBacking);
  }

  /** From now on nothing is read there. */
  void detach() {
    backing = Optional.empty();
  }

  /** The same each time; 16 bytes in the order of RFC 9562. */
  byte[] uuid() {
    if (uuid == null) {
      UUID random = UUID.randomUUID();
      uuid =
          ByteBuffer.allocate(UUID_BYTES)
              .putLong(random.getMostSignificantBits())
              .putLong(random.getLeastSignificantBits())
              .array();
    }
    return uuid;
  }
}
