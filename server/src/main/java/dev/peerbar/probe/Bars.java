package dev.peerbar.probe;

import dev.peerbar.protocol.PciRegion;
import java.util.List;

/** Which base address registers of a function are there. */
final class Bars {
  private Bars() {}

  /** Those with a region, and those whose register says something all the same. */
  static List<BaseAddress> of(Snapshot snapshot) {
    if (!new ConfigHeader(snapshot.config()).isEndpoint()) {
      return List.of();
    }
    return BaseAddress.decode(snapshot.config()).stream()
        .filter(bar -> !bar.isPlain() || snapshot.region(bar.index()).isPresent())
        .toList();
  }

  static boolean anyMemory(Snapshot snapshot) {
    return of(snapshot).stream().anyMatch(bar -> bar.kind().isMemory());
  }

  /** What a region of some index is called, in JSON and in messages. */
  static String name(int index) {
    return switch (index) {
      case PciRegion.ROM -> "ROM";
      case PciRegion.CONFIG -> "CONFIG";
      case PciRegion.VGA -> "VGA";
      default -> index <= PciRegion.BAR5 ? "BAR" + index : "REGION" + index;
    };
  }
}
