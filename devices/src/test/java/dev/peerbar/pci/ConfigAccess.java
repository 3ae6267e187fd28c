package dev.peerbar.pci;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Config space as a driver uses it, and a journal of the events its writes cause. */
final class ConfigAccess implements PciFunction.Events {
  private final PciFunction function;
  final List<String> events = new ArrayList<>();

  ConfigAccess(PciFunction function) {
    this.function = function;
  }

  long read(int offset, int bytes) {
    ByteBuffer into = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    function.readConfig(offset, into.limit(bytes));
    return into.clear().getLong();
  }

  int read32(int offset) {
    return (int) read(offset, Integer.BYTES);
  }

  int read16(int offset) {
    return (int) read(offset, Short.BYTES);
  }

  void write(int offset, int bytes, long value) {
    ByteBuffer from = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    function.writeConfig(offset, from.putLong(0, value).limit(bytes), this);
  }

  void write(int offset, byte[] bytes) {
    function.writeConfig(offset, ByteBuffer.wrap(bytes), this);
  }

  byte[] dump() {
    ByteBuffer into = ByteBuffer.allocate(PciFunction.CONFIG_SPACE_SIZE);
    function.readConfig(0, into);
    return into.array();
  }

  /** Walks the standard list as Linux does: offsets by ID, with an end to its patience. */
  Map<Integer, Integer> standardCapabilities() {
    Map<Integer, Integer> found = new TreeMap<>();
    int at = (int) read(0x34, 1);
    for (int patience = 48; at != 0; at = (int) read(at + 1, 1)) {
      if (patience-- == 0 || at < 0x40 || at % 4 != 0) {
        throw new AssertionError("bad capability pointer 0x%x".formatted(at));
      }
      found.put((int) read(at, 1), at);
    }
    return found;
  }

  /** Walks the extended list: offsets by ID and version. */
  Map<String, Integer> extendedCapabilities() {
    Map<String, Integer> found = new TreeMap<>();
    int at = 0x100;
    for (int patience = 480; at != 0; ) {
      if (patience-- == 0 || at < 0x100 || at % 4 != 0) {
        throw new AssertionError("bad extended capability pointer 0x%x".formatted(at));
      }
      int header = read32(at);
      if (header != 0) {
        found.put("%x v%d".formatted(header & 0xffff, header >>> 16 & 0xf), at);
      }
      at = header >>> 20;
    }
    return found;
  }

  @Override
  public void functionLevelReset() {
    events.add("FLR");
  }

  @Override
  public void d3hotToD0() {
    events.add("D3hot to D0");
  }

  @Override
  public void busMasterChanged(boolean enabled) {
    events.add("bus master " + enabled);
  }

  @Override
  public void memorySpaceChanged(boolean enabled) {
    events.add("memory " + enabled);
  }

  @Override
  public void msixChanged() {
    events.add("MSI-X");
  }

  @Override
  public void msiChanged() {
    events.add("MSI");
  }

  @Override
  public void intxChanged() {
    events.add("INTx");
  }
}
