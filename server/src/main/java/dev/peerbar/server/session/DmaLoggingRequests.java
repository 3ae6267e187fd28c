package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.protocol.DeviceFeature.Feature;
import dev.peerbar.protocol.DmaLogging;
import dev.peerbar.protocol.DmaLogging.Control;
import dev.peerbar.protocol.DmaLogging.Report;
import dev.peerbar.protocol.DmaLogging.ReportRequest;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.MappedBuffer;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.DirtyLog;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;

/**
 * The features DMA_LOGGING_START, _STOP and _REPORT, judged as Linux judges them
 * (vfio_ioctl_device_feature_logging_start and _report), but for what the specification says
 * itself: no ranges mean all of memory.
 */
record DmaLoggingRequests(BusMaster bus) {

  void register(FeatureRequests features) {
    features.put(Feature.DMA_LOGGING_START, FeatureHandler.setting(this::start));
    features.put(Feature.DMA_LOGGING_STOP, FeatureHandler.setting(this::stop));
    features.put(Feature.DMA_LOGGING_REPORT, FeatureHandler.getting(this::report));
  }

  private ByteBuf start(ByteBuf data, long room) throws InvalidMessageException {
    Control control = Control.decode(data);
    if (control.ranges().size() > DirtyLog.MOST_RANGES) {
      throw new InvalidMessageException(Errno.E2BIG, control.ranges().size() + " ranges");
    }
    List<DirtyLog.Range> ranges = new ArrayList<>();
    for (DmaLogging.Range range : control.ranges()) {
      checkRange(range.iova(), range.length());
      ranges.add(new DirtyLog.Range(range.iova(), range.length()));
    }
    checkOverlaps(ranges);
    FeatureHandler.Method.require(room, control.encodedSize());
    if (bus.dirtyLog().isPresent()) {
      throw new InvalidMessageException("logging has been started already");
    }
    bus.startLogging(ranges);
    // The size asked for is a hint; what is logged is as fine as a mapping can be.
    return FeatureHandler.Method.bytes(new Control(DirtyLog.PAGE_SIZE, control.ranges()));
  }

  private static void checkOverlaps(List<DirtyLog.Range> ranges) throws InvalidMessageException {
    List<DirtyLog.Range> sorted =
        ranges.stream().sorted((a, b) -> Long.compareUnsigned(a.iova(), b.iova())).toList();
    for (int i = 1; i < sorted.size(); i++) {
      DirtyLog.Range before = sorted.get(i - 1);
      if (Long.compareUnsigned(sorted.get(i).iova() - before.iova(), before.length()) < 0) {
        throw new InvalidMessageException("ranges overlap");
      }
    }
  }

  private static void checkRange(long iova, long length) throws InvalidMessageException {
    if (length == 0 || (iova | length) % DirtyLog.PAGE_SIZE != 0) {
      throw new InvalidMessageException("0x%x + 0x%x are no pages".formatted(iova, length));
    }
    if (Long.compareUnsigned(iova + length - 1, iova) < 0) {
      throw new InvalidMessageException(
          Errno.EOVERFLOW, "0x%x + 0x%x wraps".formatted(iova, length));
    }
  }

  /** There are no data, but the reference library's client sends those of a start. */
  private ByteBuf stop(ByteBuf data, long room) {
    bus.stopLogging();
    return Unpooled.EMPTY_BUFFER;
  }

  private ByteBuf report(ByteBuf data, long room) throws InvalidMessageException {
    ReportRequest wanted = ReportRequest.decode(data);
    long pageSize = wanted.pageSize();
    if (pageSize < DirtyLog.PAGE_SIZE || Long.bitCount(pageSize) != 1) {
      throw new InvalidMessageException("page size 0x%x".formatted(pageSize));
    }
    checkRange(wanted.iova(), wanted.length());
    long bitmap = DirtyLog.bitmapSize(wanted.length(), pageSize);
    if (bitmap > DirtyLog.MOST_BITMAP) {
      throw new InvalidMessageException("a bitmap of %d bytes".formatted(bitmap));
    }
    FeatureHandler.Method.require(room, Report.BITMAP + bitmap);
    DirtyLog log =
        bus.dirtyLog()
            .orElseThrow(() -> new InvalidMessageException("logging has not been started"));
    MappedBuffer reply;
    try {
      reply = MappedBuffer.allocate(Report.BITMAP + (int) bitmap);
    } catch (LinuxException e) {
      throw new InvalidMessageException(e.errno(), e.getMessage());
    }
    wanted.encode(reply.clear());
    log.report(wanted.iova(), wanted.length(), pageSize, reply.segment().asSlice(Report.BITMAP));
    return reply.writerIndex(reply.capacity());
  }
}
