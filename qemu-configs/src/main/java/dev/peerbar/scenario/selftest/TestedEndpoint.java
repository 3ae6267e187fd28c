package dev.peerbar.scenario.selftest;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.ioat.IoatConfig;
import dev.peerbar.devices.ioat.IoatEndpoint;
import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.storage.MemoryStorage;
import java.io.Closeable;
import java.util.Locale;

/** The endpoints that the kernel's tests of vfio are tried with, as {@code serve} makes them. */
enum TestedEndpoint {
  /** For which they have a driver of their own. */
  IOAT("the I/OAT endpoint") {
    @Override
    Made make(String name) {
      return new Made(new IoatEndpoint(IoatConfig.DEFAULT), () -> {});
    }
  },

  /** With a large BAR that can be mapped. */
  HBM("the HBM endpoint") {
    @Override
    Made make(String name) {
      return new Made(new HbmEndpoint(HbmConfig.DEFAULT, 1), () -> {});
    }
  },

  NVME("the NVMe endpoint") {
    @Override
    Made make(String name) {
      MemoryStorage storage = MemoryStorage.allocate(DISK);
      return new Made(
          new NvmeEndpoint(NvmeConfig.DEFAULT.withSerialNumber(name), storage), storage::close);
    }
  };

  private static final long DISK = 64L << 20;

  private final String words;

  TestedEndpoint(String words) {
    this.words = words;
  }

  /**
   * One that has been made.
   *
   * @param behind what is closed after it
   */
  record Made(Endpoint endpoint, Closeable behind) {}

  /**
   * Makes one.
   *
   * @param name of which no two in a guest are the same
   */
  abstract Made make(String name);

  /** As {@code serve} calls it. */
  String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  @Override
  public String toString() {
    return words;
  }
}
