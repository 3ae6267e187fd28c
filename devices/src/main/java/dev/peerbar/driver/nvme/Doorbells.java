package dev.peerbar.driver.nvme;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.driver.Memory;
import java.io.IOException;

/** How a driver tells the controller what it did to a queue. */
public interface Doorbells {

  /** A submission queue's tail. */
  void tail(int queue, int value) throws IOException;

  /** A completion queue's head. */
  void head(int queue, int value) throws IOException;

  /**
   * By stores to the registers (NVMe 1.4 3.1.24, 3.1.25).
   *
   * @param bar BAR 0
   */
  record Registers(Memory bar) implements Doorbells {
    @Override
    public void tail(int queue, int value) throws IOException {
      bar.storeInt(NvmeRegisters.submissionDoorbell(queue), value);
    }

    @Override
    public void head(int queue, int value) throws IOException {
      bar.storeInt(NvmeRegisters.completionDoorbell(queue), value);
    }
  }

  /**
   * By stores to the page of doorbells, which is mapped by itself.
   *
   * @param page of which the first byte is BAR 0's at {@link NvmeRegisters#DOORBELLS}
   */
  record Stores(Memory page) implements Doorbells {
    @Override
    public void tail(int queue, int value) throws IOException {
      page.storeInt(NvmeRegisters.submissionDoorbell(queue) - NvmeRegisters.DOORBELLS, value);
    }

    @Override
    public void head(int queue, int value) throws IOException {
      page.storeInt(NvmeRegisters.completionDoorbell(queue) - NvmeRegisters.DOORBELLS, value);
    }
  }
}
