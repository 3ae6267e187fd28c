package dev.peerbar.driver.nvme;

import dev.peerbar.devices.hbm.CompletionRecord;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.driver.hbm.HbmChannel;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * An HBM endpoint that drives an NVMe controller beside it: a DMA channel copies commands, which
 * lie ready in memory, into the submission queue, and stores the queue's tail into the doorbell.
 * The driver's processor touches neither. For one thread at a time.
 */
public final class PeerInitiator {
  private final HbmChannel channel;
  private final DmaRange staging;
  private final long doorbells;

  /**
   * @param channel enabled, with records, and used for nothing else meanwhile
   * @param staging memory for commands on their way
   * @param doorbells address of the controller's doorbell page for the HBM endpoint
   */
  public PeerInitiator(HbmChannel channel, DmaRange staging, long doorbells) {
    this.channel = channel;
    this.staging = staging;
    this.doorbells = doorbells;
  }

  /** Has commands copied and the tail doorbell rung, and waits until both are done. */
  public void submit(NvmeQueue queue, List<SubmissionEntry.Builder> commands) throws IOException {
    run(descriptors(queue, commands, 0));
  }

  /**
   * What submits commands, for a channel to run.
   *
   * @param stagingOffset where they lie ready, in bytes
   */
  public List<Descriptor> descriptors(
      NvmeQueue queue, List<SubmissionEntry.Builder> commands, long stagingOffset)
      throws IOException {
    List<Descriptor> all = new ArrayList<>();
    long at = stagingOffset;
    for (NvmeQueue.Placed piece : queue.place(commands)) {
      staging.write(at, piece.bytes());
      long slot = queue.submissions().iova() + (long) piece.slot() * SubmissionEntry.BYTES;
      all.add(Descriptor.copy(piece.bytes().length).from(staging.iova() + at).to(slot).interrupt());
      at += piece.bytes().length;
    }
    all.add(ring(NvmeRegisters.submissionDoorbell(queue.id()), queue.tail()));
    return all;
  }

  /** Has the head doorbell rung: the completions that were collected are given back. */
  public void ringHead(NvmeQueue queue) throws IOException {
    run(List.of(ring(NvmeRegisters.completionDoorbell(queue.id()), queue.head())));
  }

  /**
   * A descriptor that rings any doorbell with any value.
   *
   * @param doorbell offset of the register in BAR 0
   */
  public Descriptor ring(long doorbell, int value) {
    return Descriptor.immediate(Integer.toUnsignedLong(value), Integer.BYTES)
        .to(doorbells + doorbell - NvmeRegisters.DOORBELLS)
        .interrupt();
  }

  /** Has descriptors run and waits for the last, which comes after the others. */
  public void run(List<Descriptor> descriptors) throws IOException {
    int first = channel.submit(descriptors);
    await((first + descriptors.size() - 1) % channel.entries());
  }

  /**
   * Waits until a descriptor is done, asleep until an interrupt.
   *
   * @param entry of the ring
   * @throws IOException if it fails, or takes too long
   */
  public void await(int entry) throws IOException {
    long end = System.nanoTime() + NvmeDriver.LIMIT.toNanos();
    while (true) {
      Completion completion = channel.completion(entry);
      if (completion.done()) {
        return;
      }
      long left = end - System.nanoTime();
      if (completion.status() == CompletionRecord.FAILED || left <= 0 || channel.error() != 0) {
        throw new IOException(
            "the channel is %s, error %d: %s"
                .formatted(channel.state(), channel.error(), completion));
      }
      channel.awaitInterrupt(Duration.ofNanos(left));
    }
  }
}
