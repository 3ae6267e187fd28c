package dev.peerbar.lab.scenario.passthrough;

import java.lang.foreign.MemorySegment;
import java.util.zip.CRC32C;

/** CRC32C of memory of the host: the sum that HBM endpoints take. */
final class Checksum {
  private Checksum() {}

  static long of(MemorySegment memory) {
    CRC32C crc = new CRC32C();
    crc.update(memory.asByteBuffer());
    return crc.getValue();
  }
}
