package dev.peerbar.protocol.socket;

import dev.peerbar.protocol.Frame;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultChannelConfig;
import io.netty.channel.MessageSizeEstimator;
import java.util.Map;

/** Options of both channels; {@link ChannelOption#ALLOW_HALF_CLOSURE} is the connected one's. */
final class DescriptorChannelConfig extends DefaultChannelConfig {
  // Most messages are shorter than a page. Large ones come in pieces as large as a socket buffer.
  private static final int LEAST_RECEIVED = 1024;
  private static final int FIRST_RECEIVED = 4096;
  private static final int MOST_RECEIVED = 256 * 1024;

  private final Runnable onAutoReadCleared;
  private volatile boolean allowHalfClosure;

  DescriptorChannelConfig(Channel channel, Runnable onAutoReadCleared) {
    super(channel, new AdaptiveRecvByteBufAllocator(LEAST_RECEIVED, FIRST_RECEIVED, MOST_RECEIVED));
    this.onAutoReadCleared = onAutoReadCleared;
    setMessageSizeEstimator(new FrameSizes(getMessageSizeEstimator()));
  }

  boolean isAllowHalfClosure() {
    return allowHalfClosure;
  }

  @Override
  public Map<ChannelOption<?>, Object> getOptions() {
    return getOptions(super.getOptions(), ChannelOption.ALLOW_HALF_CLOSURE);
  }

  @Override
  @SuppressWarnings("unchecked") // The option says the type.
  public <T> T getOption(ChannelOption<T> option) {
    return option == ChannelOption.ALLOW_HALF_CLOSURE
        ? (T) Boolean.valueOf(allowHalfClosure)
        : super.getOption(option);
  }

  @Override
  public <T> boolean setOption(ChannelOption<T> option, T value) {
    if (option != ChannelOption.ALLOW_HALF_CLOSURE) {
      return super.setOption(option, value);
    }
    validate(option, value);
    allowHalfClosure = (Boolean) value;
    return true;
  }

  @Override
  protected void autoReadCleared() {
    onAutoReadCleared.run();
  }

  /** Counts messages by their bytes, so that the watermarks mean something. */
  private record FrameSizes(MessageSizeEstimator others) implements MessageSizeEstimator {
    @Override
    public Handle newHandle() {
      Handle handle = others.newHandle();
      return message ->
          switch (message) {
            case Frame frame -> frame.header().size();
            case LentMessage lent -> lent.size();
            case DescriptorBytes both -> both.bytes().readableBytes();
            default -> handle.size(message);
          };
    }
  }
}
