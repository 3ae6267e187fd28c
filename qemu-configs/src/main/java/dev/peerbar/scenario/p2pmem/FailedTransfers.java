package dev.peerbar.scenario.p2pmem;

import dev.peerbar.lab.disk.NvmeDisk;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Lines of the guest's kernel that say that a controller could not reach the memory which commands
 * for one range of its disk named: Data Transfer Error (NVMe 1.4 figure 127).
 */
final class FailedTransfers implements Predicate<String> {
  private static final int SECTOR = 512;

  private static final Pattern STATUS =
      Pattern.compile(
          "(?<disk>nvme\\d+n1): I/O Cmd\\(0x[12]\\) @ LBA (?<sector>\\d+), \\d+ blocks, I/O Error"
              + " \\(sct 0x0 / sc 0x4\\) ");

  private static final Pattern ERROR =
      Pattern.compile(
          "I/O error, dev (?<disk>nvme\\d+n1), sector (?<sector>\\d+) op"
              + " 0x[01]:\\((READ|WRITE)\\) ");

  private final String disk;
  private final long first;
  private final long end;

  /**
   * @param disk whose commands fail
   * @param position of the range, in bytes
   * @param length of the range, in bytes
   */
  FailedTransfers(NvmeDisk disk, long position, long length) {
    this.disk = disk.namespace();
    first = position / SECTOR;
    end = (position + length) / SECTOR;
  }

  @Override
  public boolean test(String line) {
    return isOurs(STATUS.matcher(line)) || isOurs(ERROR.matcher(line));
  }

  private boolean isOurs(Matcher line) {
    if (!line.find()) {
      return false;
    }
    long sector = Long.parseLong(line.group("sector"));
    return line.group("disk").equals(disk) && sector >= first && sector < end;
  }
}
