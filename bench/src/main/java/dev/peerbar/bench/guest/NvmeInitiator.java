package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.TimedWorkload;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.lab.guest.GuestMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;

/**
 * An NVMe controller, one command at a time. What it has is its disk.
 *
 * @param queue empty, and used for nothing else meanwhile
 * @param registers of the controller
 * @param lists room for a PRP list
 * @param blockSize in bytes
 */
record NvmeInitiator(
    NvmeQueue queue, GuestMemory registers, DmaRange lists, int blockSize, MemorySegment own)
    implements Initiator {

  @Override
  public String name() {
    return "QEMU's nvme";
  }

  @Override
  public TimedWorkload write(DmaRange to) {
    return () ->
        invocation(NvmeCommands.read(0, blocks(to), DataPointer.of(to, lists)), to.length());
  }

  @Override
  public TimedWorkload read(DmaRange from) {
    return () ->
        invocation(NvmeCommands.write(0, blocks(from), DataPointer.of(from, lists)), from.length());
  }

  private int blocks(DmaRange data) {
    return Math.toIntExact(data.length() / blockSize);
  }

  private TimedWorkload.Invocation invocation(SubmissionEntry.Builder command, long length)
      throws IOException {
    queue.put(command);
    Duration took =
        Initiator.time(registers, queue.tailDoorbell(), queue.tail(), queue.vector().orElseThrow());
    List<CompletionEntry> completions = queue.collect();
    queue.ringHead();
    if (completions.size() != 1) {
      throw new IOException("an interrupt for %d completions".formatted(completions.size()));
    }
    NvmeQueue.requireSuccess(completions);
    return new TimedWorkload.Invocation(length, took.toNanos());
  }
}
