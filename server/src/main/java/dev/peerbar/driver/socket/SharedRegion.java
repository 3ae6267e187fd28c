package dev.peerbar.driver.socket;

import dev.peerbar.driver.Memory;
import dev.peerbar.driver.SegmentMemory;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.RegionCapability;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;

/**
 * A region whose mappable areas are mapped and touched directly; the rest is accessed by messages,
 * as a virtual machine monitor does it.
 */
final class SharedRegion implements Memory, AutoCloseable {
  private final RegionMemory messages;
  private final NavigableMap<Long, Mapping> areas = new TreeMap<>();

  /**
   * Maps what can be mapped.
   *
   * @param messages what the rest is accessed by
   */
  SharedRegion(RegionMemory messages) throws IOException {
    this.messages = messages;
    map();
  }

  /** Whether a client can map all of a region. */
  static boolean whole(DeviceGetRegionInfo.Reply info) {
    return areas(info).contains(new RegionCapability.SparseMmap.Area(0, info.size()));
  }

  private static List<RegionCapability.SparseMmap.Area> areas(DeviceGetRegionInfo.Reply info) {
    if ((info.flags() & DeviceGetRegionInfo.MMAP) == 0) {
      return List.of();
    }
    return info.capabilities().stream()
        .filter(RegionCapability.SparseMmap.class::isInstance)
        .map(RegionCapability.SparseMmap.class::cast)
        .findFirst()
        .map(RegionCapability.SparseMmap::areas)
        .orElse(List.of(new RegionCapability.SparseMmap.Area(0, info.size())));
  }

  /** Maps it anew: it is another server's now. */
  void map() throws IOException {
    close();
    VfioUserClient client = messages.client().get();
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(messages.region())) {
      if (info.descriptors().isEmpty()) {
        return;
      }
      for (RegionCapability.SparseMmap.Area area : areas(info.value())) {
        areas.put(
            area.offset(),
            SharedMemory.map(
                info.descriptors().getFirst(),
                info.value().offset() + area.offset(),
                area.size(),
                SharedMemory.Access.READ_WRITE));
      }
    }
  }

  /**
   * Where bytes are.
   *
   * @param offset of the first in there
   * @param left how many there are from it on
   */
  private record Place(Memory memory, long offset, long left) {}

  private Place at(long offset) {
    Map.Entry<Long, Mapping> area = areas.floorEntry(offset);
    if (area != null) {
      SegmentMemory memory = new SegmentMemory(area.getValue().segment());
      long within = offset - area.getKey();
      if (within < memory.length()) {
        return new Place(memory, within, memory.length() - within);
      }
    }
    Long next = areas.higherKey(offset);
    return new Place(messages, offset, (next == null ? length() : next) - offset);
  }

  @Override
  public long length() {
    return messages.length();
  }

  @Override
  public long load(long offset, AccessWidth width) throws IOException {
    Place place = at(offset);
    return place.memory.load(place.offset, width);
  }

  @Override
  public void store(long offset, AccessWidth width, long value) throws IOException {
    Place place = at(offset);
    place.memory.store(place.offset, width, value);
  }

  @Override
  public byte[] read(long offset, int count) throws IOException {
    Objects.checkFromIndexSize(offset, count, length());
    byte[] bytes = new byte[count];
    for (int done = 0; done < count; ) {
      Place place = at(offset + done);
      int piece = (int) Math.min(place.left, count - done);
      System.arraycopy(place.memory.read(place.offset, piece), 0, bytes, done, piece);
      done += piece;
    }
    return bytes;
  }

  @Override
  public void write(long offset, byte[] bytes) throws IOException {
    Objects.checkFromIndexSize(offset, bytes.length, length());
    for (int done = 0; done < bytes.length; ) {
      Place place = at(offset + done);
      int piece = (int) Math.min(place.left, bytes.length - done);
      place.memory.write(place.offset, Arrays.copyOfRange(bytes, done, done + piece));
      done += piece;
    }
  }

  @Override
  public void fill(long offset, long count, byte value) throws IOException {
    Objects.checkFromIndexSize(offset, count, length());
    for (long done = 0; done < count; ) {
      Place place = at(offset + done);
      long piece = Math.min(place.left, count - done);
      place.memory.fill(place.offset, piece, value);
      done += piece;
    }
  }

  /** Unmaps it. All of it is accessed by messages from now on. */
  @Override
  public void close() {
    areas.values().forEach(Mapping::close);
    areas.clear();
  }
}
