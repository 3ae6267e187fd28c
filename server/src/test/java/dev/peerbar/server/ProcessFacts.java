package dev.peerbar.server;

import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * What this process holds.
 *
 * @param descriptors open, but for jars
 * @param heap in use after a collection, in KiB
 * @param resident memory, in KiB
 * @param direct memory of direct buffers, in KiB
 */
record ProcessFacts(long descriptors, int threads, long heap, long resident, long direct) {
  private static final int KIB = 1024;

  /** More than the young generation: all of it has been touched before memory is measured. */
  private static final int GARBAGE_MIB = 400;

  static ProcessFacts settled() throws IOException {
    for (int i = 0; i < GARBAGE_MIB; i++) {
      byte[] garbage = new byte[1 << 20];
      Arrays.fill(garbage, (byte) i);
    }
    System.gc();
    System.gc();
    return new ProcessFacts(
        OpenFiles.count(),
        ManagementFactory.getThreadMXBean().getThreadCount(),
        ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() / KIB,
        residentKib(ProcessHandle.current().pid()),
        directBytes() / KIB);
  }

  /** Bytes of direct buffers, Netty's and the JDK's. */
  static long directBytes() {
    return ((ByteBufAllocatorMetricProvider) ByteBufAllocator.DEFAULT).metric().usedDirectMemory()
        + ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
            .filter(pool -> pool.getName().equals("direct"))
            .mapToLong(BufferPoolMXBean::getMemoryUsed)
            .sum();
  }

  /** The resident memory of a process. */
  static long residentKib(long pid) throws IOException {
    return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }

  /** The processor time that a process has used, in hundredths of a second. */
  static long ticks(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    final int userTime = 11;
    final int systemTime = 12;
    return Long.parseLong(fields[userTime]) + Long.parseLong(fields[systemTime]);
  }

  @Override
  public String toString() {
    return "%d descriptors, %d threads, heap %d KiB, RSS %d KiB, direct buffers %d KiB"
        .formatted(descriptors, threads, heap, resident, direct);
  }
}
