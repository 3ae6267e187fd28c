package dev.peerbar.driver.socket;

import dev.peerbar.driver.Memory;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * A region that is accessed by messages, one for each access.
 *
 * @param client who sends them now
 * @param region {@link dev.peerbar.protocol.PciRegion}
 * @param length in bytes
 * @param posted whether writes are not waited for
 */
record RegionMemory(Supplier<VfioUserClient> client, int region, long length, boolean posted)
    implements Memory {
  /** The most data of one message here, in bytes: much less than what every server takes. */
  private static final int PIECE = 1 << 16;

  @Override
  public long load(long offset, AccessWidth width) throws IOException {
    byte[] bytes = client.get().regionRead(region, offset, width.bytes());
    return ByteBuffer.wrap(Arrays.copyOf(bytes, Long.BYTES))
        .order(ByteOrder.LITTLE_ENDIAN)
        .getLong();
  }

  @Override
  public void store(long offset, AccessWidth width, long value) throws IOException {
    byte[] bytes =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    send(offset, Arrays.copyOf(bytes, width.bytes()));
  }

  @Override
  public byte[] read(long offset, int count) throws IOException {
    Objects.checkFromIndexSize(offset, count, length);
    byte[] bytes = new byte[count];
    for (int at = 0; at < count; at += PIECE) {
      int piece = Math.min(PIECE, count - at);
      System.arraycopy(client.get().regionRead(region, offset + at, piece), 0, bytes, at, piece);
    }
    return bytes;
  }

  @Override
  public void write(long offset, byte[] bytes) throws IOException {
    Objects.checkFromIndexSize(offset, bytes.length, length);
    for (int at = 0; at < bytes.length; at += PIECE) {
      send(offset + at, Arrays.copyOfRange(bytes, at, Math.min(at + PIECE, bytes.length)));
    }
  }

  @Override
  public void fill(long offset, long count, byte value) throws IOException {
    Objects.checkFromIndexSize(offset, count, length);
    byte[] bytes = new byte[(int) Math.min(PIECE, count)];
    Arrays.fill(bytes, value);
    for (long at = 0; at < count; at += PIECE) {
      send(offset + at, Arrays.copyOf(bytes, (int) Math.min(PIECE, count - at)));
    }
  }

  private void send(long offset, byte[] bytes) throws IOException {
    if (posted) {
      client.get().regionWritePosted(region, offset, bytes);
    } else {
      client.get().regionWrite(region, offset, bytes);
    }
  }
}
