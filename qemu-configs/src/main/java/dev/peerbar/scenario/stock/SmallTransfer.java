package dev.peerbar.scenario.stock;

import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestProgram.Outcome;
import java.io.IOException;

/** Eight blocks of a disk, and files of the guest with as many bytes. */
final class SmallTransfer {
  static final int BLOCK = 512;
  static final int START = 4096;
  static final int LENGTH = 4096;

  private SmallTransfer() {}

  static String[] range() {
    return new String[] {"--start-block=" + START, "--block-count=" + (LENGTH / BLOCK - 1)};
  }

  /** Runs a command of nvme(1) that moves data, and so has a file. */
  static Outcome perform(NvmeDisk disk, String command, String file) throws IOException {
    String[] range = range();
    return disk.nvmeOfNamespace(
        command, range[0], range[1], "--data-size=" + LENGTH, "--data=" + file);
  }
}
