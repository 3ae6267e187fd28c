package dev.peerbar.scenario.p2pmem;

import dev.peerbar.lab.disk.NvmeDisk;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Lines of the guest's kernel that say that it does not let a disk's requests through another
 * controller's memory, and that one range of the disk was therefore not read or written.
 */
final class RefusedPeers implements Predicate<String> {
  private static final int SECTOR = 512;

  private static final Pattern NO_WAY =
      Pattern.compile(
          "nvme (?<client>[0-9a-f:.]+): cannot be used for peer-to-peer DMA as the client and"
              + " provider \\((?<provider>[0-9a-f:.]+)\\) do not share an upstream bridge or"
              + " whitelisted host bridge$");

  private static final Pattern NOT_DONE =
      Pattern.compile(
          "invalid error, dev (?<disk>nvme\\d+n1), sector (?<sector>\\d+) op"
              + " 0x[01]:\\((READ|WRITE)\\) ");

  private static final Pattern NOT_ALL_PRINTED =
      Pattern.compile("blk_print_req_error: \\d+ callbacks suppressed$");

  private final String provider;
  private final String client;
  private final String disk;
  private final long first;
  private final long end;

  /**
   * @param provider of the memory
   * @param client whose requests are refused
   * @param position of the range, in bytes
   * @param length of the range, in bytes
   */
  RefusedPeers(NvmeDisk provider, NvmeDisk client, long position, long length) {
    this.provider = provider.pci().address();
    this.client = client.pci().address();
    disk = client.namespace();
    first = position / SECTOR;
    end = (position + length) / SECTOR;
  }

  @Override
  public boolean test(String line) {
    Matcher noWay = NO_WAY.matcher(line);
    Matcher notDone = NOT_DONE.matcher(line);
    if (noWay.find()) {
      return noWay.group("client").equals(client) && noWay.group("provider").equals(provider);
    }
    if (notDone.find()) {
      long sector = Long.parseLong(notDone.group("sector"));
      return notDone.group("disk").equals(disk) && sector >= first && sector < end;
    }
    return NOT_ALL_PRINTED.matcher(line).find();
  }
}
