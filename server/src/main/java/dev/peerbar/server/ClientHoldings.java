package dev.peerbar.server;

import dev.peerbar.server.function.InterruptTable;
import dev.peerbar.server.function.IrqIndex;
import dev.peerbar.server.function.ServedFunction;
import java.util.ArrayList;
import java.util.List;

/**
 * What a client has given its endpoint and not taken back, at one moment.
 *
 * @param dmaMappings ranges of its memory (DMA_MAP)
 * @param eventDescriptors interrupts that have an event descriptor (DEVICE_SET_IRQS), as {@code
 *     "MSIX 3"}, in order
 */
public record ClientHoldings(int dmaMappings, List<String> eventDescriptors) {
  public ClientHoldings {
    eventDescriptors = List.copyOf(eventDescriptors);
  }

  /** For the function's thread. */
  static ClientHoldings of(ServedFunction function) {
    InterruptTable interrupts = function.interrupts();
    List<String> assigned = new ArrayList<>();
    for (IrqIndex index : IrqIndex.values()) {
      for (int i = 0; i < interrupts.count(index); i++) {
        if (interrupts.assigned(index, i)) {
          assigned.add(index + " " + i);
        }
      }
    }
    return new ClientHoldings(function.bus().table().size(), assigned);
  }
}
