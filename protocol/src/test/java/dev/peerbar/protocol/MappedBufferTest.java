package dev.peerbar.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class MappedBufferTest {
  private static final int SIZE = (64 << 20) + 24;

  @Test
  void readsAsZerosUntilItIsWritten() throws Exception {
    MappedBuffer buffer = MappedBuffer.allocate(SIZE);
    try {
      assertThat(buffer.isDirect()).isTrue();
      assertThat(buffer.readableBytes()).isEqualTo(SIZE);
      for (int at = 0; at < SIZE; at += Long.BYTES) {
        if (buffer.getLongLE(at) != 0) {
          throw new AssertionError("not zero at " + at);
        }
      }
      buffer.segment().set(ValueLayout.JAVA_BYTE, 4097, (byte) 7);
      assertThat(buffer.getByte(4097)).isEqualTo((byte) 7);
      buffer.setByte(SIZE - 1, 9);
      assertThat(buffer.segment().get(ValueLayout.JAVA_BYTE, SIZE - 1)).isEqualTo((byte) 9);
    } finally {
      buffer.release();
    }
  }

  @Test
  void theLastReleaseGivesTheAddressSpaceBack() throws Exception {
    // Far more than the JVM itself may take meanwhile, for its threads.
    int count = 1024;
    long before = addressSpace();
    for (int i = 0; i < count; i++) {
      MappedBuffer buffer = MappedBuffer.allocate(SIZE);
      buffer.retain().release();
      buffer.setByte(0, 1);
      assertThat(buffer.release()).isTrue();
    }
    assertThat(addressSpace() - before).isLessThan((long) count / 2 * SIZE);
  }

  /** Of this process, in bytes. */
  private static long addressSpace() throws IOException {
    String pages = Files.readString(Path.of("/proc/self/statm")).split(" ")[0];
    return Long.parseLong(pages) * 4096;
  }
}
