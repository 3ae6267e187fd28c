package dev.peerbar.protocol.socket;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ReceiveBufferTest {
  private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
  private final ReceiveBuffer buffers = new ReceiveBuffer(allocator);

  @AfterEach
  void nothingLeaks() {
    buffers.release();
    assertThat(allocator.metric().usedDirectMemory()).isZero();
  }

  @Test
  void theSameBufferAgainUnlessSomebodyKeepsIt() {
    ByteBuf first = buffers.take();
    first.writeByte(1);
    assertThat(buffers.take()).isSameAs(first);
    assertThat(first.readableBytes()).isZero();

    ByteBuf kept = first.retain();
    assertThat(buffers.take()).isNotSameAs(kept);
    kept.release();
  }

  @Test
  void growsWithWhatComesAndShrinksWhenThatHasPassed() {
    assertThat(buffers.take().capacity()).isEqualTo(ReceiveBuffer.LEAST);
    buffers.received(ReceiveBuffer.LEAST - 1);
    assertThat(buffers.take().capacity()).isEqualTo(ReceiveBuffer.LEAST);
    buffers.received(ReceiveBuffer.LEAST);
    assertThat(buffers.take().capacity()).isEqualTo(ReceiveBuffer.MOST);
    for (int i = 0; i < 255; i++) {
      buffers.received(100);
    }
    buffers.received(ReceiveBuffer.LEAST + 1);
    for (int i = 0; i < 255; i++) {
      buffers.received(100);
    }
    assertThat(buffers.take().capacity()).isEqualTo(ReceiveBuffer.MOST);
    buffers.received(100);
    assertThat(buffers.take().capacity()).isEqualTo(ReceiveBuffer.LEAST);
  }
}
