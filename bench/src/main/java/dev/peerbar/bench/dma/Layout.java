package dev.peerbar.bench.dma;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.CopyChannel;
import dev.peerbar.driver.socket.ClientMemory;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;

/** How a client's memory is mapped: a source and a destination of as many bytes. */
public enum Layout {
  ONE_MAPPING("one mapping", 1L << 32),
  PAGES("a mapping a page", 2L << 32),
  SHUFFLED_PAGES("a mapping a page, shuffled", 3L << 32);

  /** Where the destination begins after the source. */
  private static final long DESTINATION = 1L << 31;

  private static final int READ_WRITE = DmaMap.READABLE | DmaMap.WRITEABLE;
  private static final long SEED = 1;

  private final String label;
  private final long source;

  Layout(String label, long source) {
    this.label = label;
    this.source = source;
  }

  /** Maps both, each of the same length. */
  void map(VfioUserClient client, ClientMemory from, ClientMemory to) throws IOException {
    long length = from.bytes().byteSize();
    switch (this) {
      case ONE_MAPPING -> {
        map(client, source, from, 0, length);
        map(client, source + DESTINATION, to, 0, length);
      }
      case PAGES -> mapPages(client, from, to, pages(length));
      case SHUFFLED_PAGES -> mapPages(client, from, to, shuffledPages(length));
    }
  }

  private static void map(
      VfioUserClient client, long iova, ClientMemory memory, long offset, long length)
      throws IOException {
    client.dmaMap(READ_WRITE, offset, iova, length, Optional.of(memory.file()));
  }

  private void mapPages(
      VfioUserClient client, ClientMemory from, ClientMemory to, List<Integer> order)
      throws IOException {
    for (int i = 0; i < order.size(); i++) {
      long address = source + i * ClientMemory.PAGE;
      long offset = order.get(i) * ClientMemory.PAGE;
      map(client, address, from, offset, ClientMemory.PAGE);
      map(client, address + DESTINATION, to, offset, ClientMemory.PAGE);
    }
  }

  private static List<Integer> pages(long length) {
    return new ArrayList<>(IntStream.range(0, (int) (length / ClientMemory.PAGE)).boxed().toList());
  }

  /** Pages of memory in the order in which the shuffled layout has them. */
  static List<Integer> shuffledPages(long length) {
    List<Integer> order = pages(length);
    Collections.shuffle(order, new Random(SEED));
    return order;
  }

  /** Puts a copy of a piece of the source to the same place of the destination. */
  void copyAhead(CopyChannel channel, int ahead, long offset, int size, boolean interrupts)
      throws IOException {
    channel.copyAhead(ahead, source + offset, source + DESTINATION + offset, size, interrupts);
  }

  /** What copies a piece of the source to the same place of the destination. */
  Descriptor copy(long offset, int size) {
    return Descriptor.copy(size).from(source + offset).to(source + DESTINATION + offset);
  }

  @Override
  public String toString() {
    return label;
  }
}
