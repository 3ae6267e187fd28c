package dev.peerbar.server;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/** How a driver tells the controller what it did to a queue. */
sealed interface NvmeDoorbells {
  void tail(int queue, int value) throws IOException;

  void head(int queue, int value) throws IOException;

  /** By messages. */
  record Registers(VfioUserClient client) implements NvmeDoorbells {
    @Override
    public void tail(int queue, int value) throws IOException {
      client.writeInt(NvmeRegisters.BAR, NvmeRegisters.submissionDoorbell(queue), value);
    }

    @Override
    public void head(int queue, int value) throws IOException {
      client.writeInt(NvmeRegisters.BAR, NvmeRegisters.completionDoorbell(queue), value);
    }
  }

  /** By stores to the page, which is mapped. */
  record Stores(MemorySegment page) implements NvmeDoorbells {
    @Override
    public void tail(int queue, int value) {
      store(NvmeRegisters.submissionDoorbell(queue), value);
    }

    @Override
    public void head(int queue, int value) {
      store(NvmeRegisters.completionDoorbell(queue), value);
    }

    private void store(long offset, int value) {
      GuestMemory.INT.varHandle().setRelease(page, offset - NvmeRegisters.DOORBELLS, value);
    }
  }

  /** In memory (NVMe 1.4 7.13): a register is written only if the controller asked for it. */
  final class Shadow implements NvmeDoorbells {
    private static final VarHandle INT = GuestMemory.INT.varHandle();

    private final MemorySegment values;
    private final MemorySegment events;
    private final NvmeDoorbells registers;
    private int stores;
    private int rings;

    Shadow(MemorySegment values, MemorySegment events, NvmeDoorbells registers) {
      this.values = values;
      this.events = events;
      this.registers = registers;
    }

    int stores() {
      return stores;
    }

    int rings() {
      return rings;
    }

    @Override
    public void tail(int queue, int value) throws IOException {
      if (update(NvmeRegisters.submissionDoorbell(queue) - NvmeRegisters.DOORBELLS, value)) {
        registers.tail(queue, value);
      }
    }

    @Override
    public void head(int queue, int value) throws IOException {
      if (update(NvmeRegisters.completionDoorbell(queue) - NvmeRegisters.DOORBELLS, value)) {
        registers.head(queue, value);
      }
    }

    private boolean update(long offset, int value) {
      stores++;
      int before = (int) INT.getVolatile(values, offset);
      INT.setVolatile(values, offset, value);
      VarHandle.fullFence();
      int event = (int) INT.getVolatile(events, offset);
      boolean wanted =
          Short.toUnsignedInt((short) (value - event - 1))
              < Short.toUnsignedInt((short) (value - before));
      if (wanted) {
        rings++;
      }
      return wanted;
    }
  }
}
