package dev.peerbar.sample;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.RepeatedWork;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;

/**
 * Reads a page of guest memory to the start of its own memory, BAR 2, and raises vector 0.
 *
 * <p>BAR 0 at 0x00: PAGE, WO 8, the page's IOVA; writing it begins the transfer, in place of one
 * that has not begun. At 0x08: FETCHED, RO 4, pages read. At 0x0c: FAULTS, RO 4, pages that could
 * not be.
 */
public final class PageFetcher implements Endpoint {
  private static final int PAGE_BYTES = 4096;

  private final PciFunction function;
  private Host host;
  private RepeatedWork fetching;
  private volatile long page;
  private int fetched;
  private int faults;

  PageFetcher(long memoryBytes) {
    function =
        PciFunction.builder()
            .identity(0x1234, 0x0e0e)
            .classCode(0x120000)
            .registers(0, 4096)
            .memory(2, memoryBytes)
            .msix(4, 4096, 1, 0x000, 0x800)
            .build();
  }

  @Override
  public PciFunction function() {
    return function;
  }

  @Override
  public void start(Host newHost) {
    host = newHost;
    fetching = newHost.engine("fetch").repeated(this::fetch, _ -> failed());
  }

  @Override
  public long read(int bar, long offset, AccessWidth width) {
    return offset == 0x08 ? fetched : offset == 0x0c ? faults : 0;
  }

  @Override
  public void write(int bar, long offset, AccessWidth width, long value) {
    if (offset == 0x00 && width == AccessWidth.QWORD) {
      page = value;
      fetching.request();
    }
  }

  /** On the engine's thread, where waiting is allowed; updates go back to the function's. */
  private void fetch(Job job) throws JobEndedException {
    try {
      job.dma().read(page, host.memory(2).asSlice(0, PAGE_BYTES));
      job.update(() -> fetched++);
    } catch (DmaFaultException fault) {
      job.update(() -> faults++);
    }
    job.update(() -> host.interrupts().raise(0));
  }

  /**
   * Fetching threw, by a mistake of ours or for want of memory: the driver must not wait for it.
   */
  private void failed() {
    faults++;
    host.interrupts().raise(0);
  }

  @Override
  public void reset(ResetKind kind) {
    fetched = 0;
    faults = 0;
  }
}
