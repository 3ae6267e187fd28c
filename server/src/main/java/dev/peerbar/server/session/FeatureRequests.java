package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceFeature.Feature;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * DEVICE_FEATURE, judged as Linux judges VFIO_DEVICE_FEATURE (vfio_ioctl_device_feature, then
 * vfio_check_feature). Probes are answered here; what getting and setting do is the features' own.
 */
final class FeatureRequests {
  private static final int METHODS = DeviceFeature.GET | DeviceFeature.SET;
  private static final int KNOWN = DeviceFeature.INDEX_MASK | METHODS | DeviceFeature.PROBE;

  private final Map<Feature, FeatureHandler> features = new EnumMap<>(Feature.class);

  void register(Map<Command, RequestHandler> handlers) {
    handlers.put(Command.DEVICE_FEATURE, this::feature);
  }

  /** The device has a feature; one that nobody puts here it does not have (ENOTTY). */
  void put(Feature feature, FeatureHandler handler) {
    features.put(feature, handler);
  }

  private Frame feature(Frame request) throws InvalidMessageException {
    DeviceFeature.Request wanted = DeviceFeature.Request.decode(request.payload());
    int flags = wanted.flags();
    long argsz = Integer.toUnsignedLong(wanted.argsz());
    boolean probe = (flags & DeviceFeature.PROBE) != 0;
    boolean get = (flags & DeviceFeature.GET) != 0;
    boolean set = (flags & DeviceFeature.SET) != 0;
    check(argsz >= DeviceFeature.DATA, "argsz %d", argsz);
    check((flags & ~KNOWN) == 0, "flags 0x%x", flags);
    check(probe || !(get && set), "both to get and to set, flags 0x%x", flags);
    FeatureHandler handler = handler(wanted);
    Optional<FeatureHandler.Method> method = get ? handler.get() : handler.set();
    check(!get || handler.get().isPresent(), "%s cannot be got", wanted.feature());
    check(!set || handler.set().isPresent(), "%s cannot be set", wanted.feature());
    check(probe || get || set, "nothing to do, flags 0x%x", flags);
    if (probe) {
      // The specification has the reply repeat the request, and Linux does not look at the data.
      int length = (int) Math.min(argsz, request.payload().readableBytes());
      ByteBuf repeated = request.payload().copy(request.payload().readerIndex(), length);
      return Frame.reply(request.header(), repeated, Descriptors.none());
    }
    long room = argsz - DeviceFeature.DATA;
    ByteBuf data = method.orElseThrow().run(wanted.data(), room);
    return reply(
        request, flags, data, set ? rest(wanted.data(), data, room) : Unpooled.EMPTY_BUFFER);
  }

  /** What of the data to set comes after what the feature says itself, as far as there is room. */
  private static ByteBuf rest(ByteBuf request, ByteBuf changed, long room) {
    int from = changed.readableBytes();
    int to = (int) Math.min(room, request.readableBytes());
    ByteBuf rest = ByteBufAllocator.DEFAULT.directBuffer();
    return rest.writeBytes(request, request.readerIndex() + from, Math.max(0, to - from));
  }

  private static Frame reply(Frame request, int flags, ByteBuf data, ByteBuf more) {
    ByteBuf fixed = ByteBufAllocator.DEFAULT.directBuffer(DeviceFeature.DATA);
    DeviceFeature.Reply.encodeFixed(fixed, flags, data.readableBytes() + more.readableBytes());
    return Frame.reply(
        request.header(), Unpooled.wrappedBuffer(fixed, data, more), Descriptors.none());
  }

  private FeatureHandler handler(DeviceFeature.Request wanted) throws InvalidMessageException {
    Optional<FeatureHandler> handler = wanted.feature().map(features::get);
    if (handler.isEmpty()) {
      throw new InvalidMessageException(
          Errno.ENOTTY, "feature " + (wanted.flags() & DeviceFeature.INDEX_MASK));
    }
    return handler.get();
  }

  private static void check(boolean holds, String otherwise, Object detail)
      throws InvalidMessageException {
    if (!holds) {
      throw new InvalidMessageException(otherwise.formatted(detail));
    }
  }
}
