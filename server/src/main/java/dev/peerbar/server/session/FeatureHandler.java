package dev.peerbar.server.session;

import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.Payload;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.Optional;

/**
 * What the server does for one feature of DEVICE_FEATURE: either method, both or none. That it is
 * there at all is what a probe asks for.
 *
 * @param get empty if the feature cannot be got
 * @param set empty if the feature cannot be set
 */
record FeatureHandler(Optional<Method> get, Optional<Method> set) {

  static FeatureHandler getting(Method get) {
    return new FeatureHandler(Optional.of(get), Optional.empty());
  }

  static FeatureHandler setting(Method set) {
    return new FeatureHandler(Optional.empty(), Optional.of(set));
  }

  static FeatureHandler of(Method get, Method set) {
    return new FeatureHandler(Optional.of(get), Optional.of(set));
  }

  /** Getting, or setting. */
  @FunctionalInterface
  interface Method {

    /**
     * Judges the request as a whole, then does it.
     *
     * @param data of the request, and perhaps more than the feature has; lives as long as the call
     * @param room bytes of data that the client takes in the reply; to be looked at, by {@link
     *     #require}, before anything changes
     * @return the data of the reply, in a direct buffer, to be released; for a request to set, what
     *     of the request's data has changed, from the first byte on
     * @throws InvalidMessageException if it is refused; nothing has changed then
     */
    ByteBuf run(ByteBuf data, long room) throws InvalidMessageException;

    /** What {@link #run} returns of data that are a table. */
    static ByteBuf bytes(Payload table) {
      return Frame.encode(table, ByteBufAllocator.DEFAULT);
    }

    /**
     * @throws InvalidMessageException if a reply with so many bytes of data is more than the client
     *     takes
     */
    static void require(long room, long bytes) throws InvalidMessageException {
      if (room < bytes) {
        throw new InvalidMessageException(
            "argsz leaves room for %d bytes of data, not %d".formatted(room, bytes));
      }
    }
  }
}
