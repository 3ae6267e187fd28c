package dev.peerbar.protocol;

import dev.peerbar.protocol.Capabilities.Migration;
import dev.peerbar.protocol.Capabilities.TwinSocket;
import dev.peerbar.protocol.DeviceGetRegionIoFds.IoEventFd;
import dev.peerbar.protocol.DeviceGetRegionIoFds.IoRegionFd;
import dev.peerbar.protocol.DeviceGetRegionIoFds.SubRegion;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.reflect.Constructor;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;

/** Payloads of every kind, each with what decodes it. */
final class Samples {
  private static final int LARGEST_DATA = 300;

  interface Decoder {
    Payload decode(ByteBuf in) throws InvalidMessageException;
  }

  record Sample(Payload payload, Decoder decoder) {}

  private Samples() {}

  static Arbitrary<Sample> all() {
    return Arbitraries.oneOf(
        Stream.of(fixedKinds(), variableKinds()).flatMap(List::stream).toList());
  }

  /** Those that are as long as their tables, whatever is in them. */
  static Arbitrary<Sample> fixed() {
    return Arbitraries.oneOf(fixedKinds());
  }

  private static List<Arbitrary<Sample>> fixedKinds() {
    return List.of(
        plain(DmaMap.Request.class, DmaMap.Request::decode),
        plain(DmaUnmap.Request.class, DmaUnmap.Request::decode),
        plain(DmaUnmap.Reply.class, DmaUnmap.Reply::decode),
        plain(DeviceGetInfo.Request.class, DeviceGetInfo.Request::decode),
        plain(DeviceGetInfo.Reply.class, DeviceGetInfo.Reply::decode),
        plain(DeviceGetIrqInfo.Request.class, DeviceGetIrqInfo.Request::decode),
        plain(DeviceGetIrqInfo.Reply.class, DeviceGetIrqInfo.Reply::decode),
        plain(DeviceGetRegionInfo.Request.class, DeviceGetRegionInfo.Request::decode),
        plain(DeviceGetRegionIoFds.Request.class, DeviceGetRegionIoFds.Request::decode),
        plain(DeviceReset.Request.class, DeviceReset.Request::decode),
        plain(RegionRead.Request.class, RegionRead.Request::decode),
        plain(RegionWrite.Reply.class, RegionWrite.Reply::decode),
        plain(RegionWriteMulti.Reply.class, RegionWriteMulti.Reply::decode),
        plain(DmaRead.Request.class, DmaRead.Request::decode),
        plain(MigrationFeature.class, MigrationFeature::decode),
        plain(DmaLogging.ReportRequest.class, DmaLogging.ReportRequest::decode),
        plain(MigDataRead.Request.class, MigDataRead.Request::decode),
        kind(
            Combinators.combine(Arbitraries.of(MigrationState.State.class), Arbitraries.integers())
                .as(MigrationState::new),
            MigrationState::decode));
  }

  private static List<Arbitrary<Sample>> variableKinds() {
    return List.of(
        kind(regionInfoReplies(), DeviceGetRegionInfo.Reply::decode),
        kind(ioFdsReplies(), DeviceGetRegionIoFds.Reply::decode),
        kind(setIrqs(), DeviceSetIrqs.Request::decode),
        plain(RegionRead.Reply.class, RegionRead.Reply::decode),
        plain(RegionWrite.Request.class, RegionWrite.Request::decode),
        kind(multiWrites(), RegionWriteMulti.Request::decode),
        plain(DmaRead.Reply.class, DmaRead.Reply::decode),
        plain(DmaWrite.Request.class, DmaWrite.Request::decode),
        plain(DmaWrite.Acknowledged.class, DmaWrite.Reply::decode),
        kind(
            Combinators.combine(Arbitraries.longs(), Arbitraries.longs().between(0, ~0 >>> 1))
                .as(DmaWrite.Written::new),
            DmaWrite.Reply::decode),
        plain(DeviceFeature.Request.class, DeviceFeature.Request::decode),
        plain(DeviceFeature.Reply.class, DeviceFeature.Reply::decode),
        kind(
            Combinators.combine(
                    Arbitraries.longs(), simple(DmaLogging.Range.class).list().ofMaxSize(9))
                .as(DmaLogging.Control::new),
            DmaLogging.Control::decode),
        kind(
            Combinators.combine(
                    Arbitraries.longs(), Arbitraries.longs(), Arbitraries.longs(), words())
                .as(DmaLogging.Report::new),
            DmaLogging.Report::decode),
        plain(MigDataRead.Reply.class, MigDataRead.Reply::decode),
        plain(MigDataWrite.Request.class, MigDataWrite.Request::decode),
        kind(
            Combinators.combine(shorts(), shorts(), capabilities()).as(Version.Request::new),
            Version.Request::decode),
        kind(
            Combinators.combine(shorts(), shorts(), capabilities()).as(Version.Reply::new),
            Version.Reply::decode));
  }

  private static <T extends Payload> Arbitrary<Sample> kind(
      Arbitrary<T> payloads, Decoder decoder) {
    return payloads.map(payload -> new Sample(payload, decoder));
  }

  private static <T extends Record & Payload> Arbitrary<Sample> plain(
      Class<T> type, Decoder decoder) {
    return kind(simple(type), decoder);
  }

  /** Records of numbers and bytes that have nothing to do with each other. */
  private static <T extends Record> Arbitrary<T> simple(Class<T> type) {
    List<Arbitrary<Object>> parts = new ArrayList<>();
    RecordComponent[] components = type.getRecordComponents();
    for (RecordComponent component : components) {
      parts.add(part(component.getType()).asGeneric());
    }
    Class<?>[] types =
        Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
    return Combinators.combine(parts)
        .as(values -> {
          try {
            Constructor<T> constructor = type.getDeclaredConstructor(types);
            return constructor.newInstance(values.toArray());
          } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
          }
        });
  }

  private static Arbitrary<?> part(Class<?> type) {
    if (type == int.class) {
      return Arbitraries.integers();
    }
    if (type == long.class) {
      return Arbitraries.longs();
    }
    if (type == ByteBuf.class) {
      return bytes();
    }
    throw new AssertionError(type);
  }

  private static Arbitrary<ByteBuf> bytes() {
    return Arbitraries.bytes()
        .array(byte[].class)
        .ofMaxSize(LARGEST_DATA)
        .map(Unpooled::wrappedBuffer);
  }

  private static Arbitrary<ByteBuf> words() {
    return Arbitraries.longs()
        .list()
        .ofMaxSize(20)
        .map(longs -> {
          ByteBuf words = Unpooled.buffer();
          longs.forEach(words::writeLongLE);
          return words;
        });
  }

  private static Arbitrary<Integer> shorts() {
    return Arbitraries.integers().between(0, 0xFFFF);
  }

  private static Arbitrary<DeviceGetRegionInfo.Reply> regionInfoReplies() {
    Arbitrary<RegionCapability> sparse =
        simple(RegionCapability.SparseMmap.Area.class)
            .list()
            .ofMaxSize(5)
            .map(RegionCapability.SparseMmap::new);
    Arbitrary<RegionCapability> other =
        Combinators.combine(shorts().filter(id -> id != 1), shorts(), words())
            .as(RegionCapability.Other::new);
    Arbitrary<DeviceGetRegionInfo.Reply> full =
        Combinators.combine(
                Arbitraries.integers(),
                Arbitraries.integers(),
                Arbitraries.longs(),
                Arbitraries.longs(),
                Arbitraries.oneOf(sparse, other).list().ofMaxSize(4))
            .as((flags, index, size, offset, capabilities) ->
                DeviceGetRegionInfo.Reply.full(
                    flags & ~DeviceGetRegionInfo.CAPS, index, size, offset, capabilities));
    return Arbitraries.oneOf(full, full.map(DeviceGetRegionInfo.Reply::cutShort));
  }

  private static Arbitrary<DeviceGetRegionIoFds.Reply> ioFdsReplies() {
    Arbitrary<SubRegion> subRegions =
        Arbitraries.oneOf(
            simple(IoEventFd.class).map(SubRegion.class::cast),
            simple(IoRegionFd.class).map(SubRegion.class::cast));
    Arbitrary<DeviceGetRegionIoFds.Reply> full =
        Combinators.combine(Arbitraries.integers(), subRegions.list().ofMaxSize(6))
            .as(DeviceGetRegionIoFds.Reply::full);
    return Arbitraries.oneOf(full, full.map(DeviceGetRegionIoFds.Reply::cutShort));
  }

  private static Arbitrary<DeviceSetIrqs.Request> setIrqs() {
    return Combinators.combine(
            Arbitraries.integers(),
            Arbitraries.integers(),
            Arbitraries.integers(),
            Arbitraries.integers(),
            bytes())
        .as((argsz, flags, index, start, data) -> {
          boolean bool = (flags & DeviceSetIrqs.DATA_BOOL) != 0;
          int count = bool ? data.readableBytes() : index;
          return new DeviceSetIrqs.Request(
              argsz, flags, index, start, count, bool ? data : Unpooled.EMPTY_BUFFER);
        });
  }

  private static Arbitrary<RegionWriteMulti.Request> multiWrites() {
    return Combinators.combine(
            Arbitraries.longs(),
            Arbitraries.integers(),
            Arbitraries.integers().between(0, Long.BYTES),
            Arbitraries.longs())
        .as(RegionWriteMulti.Write::new)
        .list()
        .ofMaxSize(12)
        .map(RegionWriteMulti.Request::new);
  }

  private static Arbitrary<Capabilities> capabilities() {
    Arbitrary<Integer> naturals = Arbitraries.integers().greaterOrEqual(0);
    Arbitrary<Long> longNaturals = Arbitraries.longs().greaterOrEqual(0);
    Arbitrary<OptionalInt> indexes =
        naturals.optional().map(i -> i.map(OptionalInt::of).orElse(OptionalInt.empty()));
    return Combinators.combine(
            naturals,
            longNaturals,
            naturals,
            longNaturals,
            Combinators.combine(Arbitraries.of(true, false), indexes)
                .as(TwinSocket::new)
                .optional(),
            Arbitraries.of(true, false),
            Combinators.combine(longNaturals, longNaturals).as(Migration::new).optional())
        .as(Capabilities::new);
  }
}
