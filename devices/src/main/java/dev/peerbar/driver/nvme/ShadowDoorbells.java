package dev.peerbar.driver.nvme;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.driver.DmaRange;
import java.io.IOException;
import java.lang.invoke.VarHandle;

/**
 * Doorbells in memory (NVMe 1.4 7.13): a register is written only if the controller asked for it.
 * For one thread at a time.
 */
public final class ShadowDoorbells implements Doorbells {
  private final DmaRange shadows;
  private final DmaRange events;
  private final Doorbells registers;
  private long stores;
  private long rings;

  /**
   * @param shadows a page, as {@link NvmeCommands#doorbellBufferConfig} told the controller
   * @param events likewise
   * @param registers to be written when the controller asks for it
   */
  public ShadowDoorbells(DmaRange shadows, DmaRange events, Doorbells registers) {
    this.shadows = shadows;
    this.events = events;
    this.registers = registers;
  }

  /** The shadow doorbells, in the order of the registers. */
  public DmaRange shadows() {
    return shadows;
  }

  /** The EventIdx values, in the order of the registers. */
  public DmaRange events() {
    return events;
  }

  /** How often a doorbell was rung. */
  public long stores() {
    return stores;
  }

  /** How often that took a write of the register. */
  public long rings() {
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

  private boolean update(long offset, int value) throws IOException {
    stores++;
    int before = shadows.loadInt(offset);
    shadows.storeInt(offset, value);
    // The controller looks at the shadow after it has said when it wants to be told: one of the
    // two sees what the other stored.
    VarHandle.fullFence();
    int event = events.loadInt(offset);
    boolean wanted =
        Short.toUnsignedInt((short) (value - event - 1))
            < Short.toUnsignedInt((short) (value - before));
    if (wanted) {
      rings++;
    }
    return wanted;
  }
}
