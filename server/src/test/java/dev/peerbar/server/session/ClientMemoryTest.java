package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.Mockito.RETURNS_DEEP_STUBS;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.times;
import static org.mockito.Mockito.verify;

import dev.peerbar.server.dma.MessagePath;
import dev.peerbar.server.function.ServedFunction;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.ReferenceCountUtil;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** Requests that a client leaves without a reply. */
final class ClientMemoryTest {
  private static final int MOST_PENDING = 1 << 14;

  private final MemorySegment into = Arena.ofAuto().allocate(64);
  private final ServedFunction function = mock(ServedFunction.class, RETURNS_DEEP_STUBS);
  private final MessagePath.Completion completion = mock(MessagePath.Completion.class);

  @Test
  void aClientThatRepliesToNothingIsGivenUp() {
    EmbeddedChannel channel = new EmbeddedChannel();
    ClientMemory memory = new ClientMemory(function, channel, 1 << 20);
    channel
        .pipeline()
        .addLast(
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelInactive(ChannelHandlerContext context) {
                memory.close();
              }
            });
    for (int i = 0; i < MOST_PENDING; i++) {
      memory.read(i, into, completion).abandon();
      ReferenceCountUtil.release(channel.readOutbound());
    }
    assertThat(channel.isOpen()).isTrue();
    memory.read(0, into, completion);
    channel.runPendingTasks();
    assertThat(channel.isOpen()).isFalse();
    verify(completion, times(1)).failed();
    verify(completion, never()).done();
  }
}
