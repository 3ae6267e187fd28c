package dev.peerbar.scenario.bar;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.uapi.VfioRegionInfo;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/** What comes of an access to a BAR by its width: at memory, registers and the MSI-X table. */
final class Widths {
  private static final long PATTERN = 0xf1e2_d3c4_b5a6_9788L;
  private static final int SCRATCH = 0x5ca7_c4ed;

  private Widths() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "bar.widths",
            "load and store 1, 2, 4 and 8 bytes of A's memory BAR, aligned or not",
            "the host sees the bytes that were stored, and no others change",
            Widths::memory),
        Case.on(
            HbmPair.KIND,
            "bar.file-widths",
            "read and write A's memory BAR by pread and pwrite, of any length and alignment",
            "the bytes are A's; at the end it is cut short, and behind it EINVAL",
            Widths::file),
        Case.on(
            HbmPair.KIND,
            "bar.register-widths",
            "load and store A's and B's registers with every width, by mapping and by file",
            "4 bytes, and 8 where a register has them, are taken; all else reads 0 and changes"
                + " nothing",
            Widths::registers),
        Case.on(
            HbmPair.KIND,
            "bar.trapped",
            "store to B's trapped registers, and to A's mapped doorbells",
            "both BARs can be mapped; doorbells that are mapped read back, trapped ones read 0",
            Widths::trapped),
        Case.on(
            HbmPair.KIND,
            "bar.msix-table",
            "read and write A's MSI-X table through vfio-pci's file",
            "the table reads as ones and takes nothing, the pending bits read as they are",
            Widths::msixTable));
  }

  private static String memory(HbmPair pair) throws Exception {
    int tried = 0;
    try (GuestMemory bar = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR)) {
      for (long start : List.of(0L, HbmPair.BAR_SIZE - 2 * Long.BYTES)) {
        MemorySegment host = pair.memoryOfA().asSlice(start, 2 * Long.BYTES);
        for (AccessWidth width : AccessWidth.values()) {
          for (int offset = 0; offset <= 2 * Long.BYTES - width.bytes(); offset++) {
            byte[] expected = new byte[2 * Long.BYTES];
            Arrays.fill(expected, (byte) 0x5a);
            host.copyFrom(MemorySegment.ofArray(expected));
            System.arraycopy(bytes(PATTERN, width), 0, expected, offset, width.bytes());
            bar.store(start + offset, width, PATTERN);
            byte[] seen = host.toArray(ValueLayout.JAVA_BYTE);
            unless(
                Arrays.equals(seen, expected),
                "%s of %s bytes at %d: the host sees %s",
                "a store",
                width.bytes(),
                offset,
                Arrays.toString(seen));
            long loaded = bar.load(start + offset, width);
            unless(loaded == low(PATTERN, width), "loaded 0x%x, %s at %d", loaded, width, offset);
            tried++;
          }
        }
      }
    }
    return "%d places and widths, at both ends of the BAR".formatted(tried);
  }

  private static String file(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    byte[] written = new byte[37];
    pair.run().random().nextBytes(written);
    for (int offset = 0; offset < Long.BYTES; offset++) {
      pair.memoryOfA().asSlice(0, 64).fill((byte) 0x5a);
      vfio.writeRegion(VfioPciRegion.BAR2, offset, written);
      byte[] host = pair.memoryOfA().asSlice(0, 64).toArray(ValueLayout.JAVA_BYTE);
      byte[] expected = new byte[64];
      Arrays.fill(expected, (byte) 0x5a);
      System.arraycopy(written, 0, expected, offset, written.length);
      unless(Arrays.equals(host, expected), "at %d the host sees %s", offset, hex(host));
      byte[] read = vfio.readRegion(VfioPciRegion.BAR2, offset, written.length);
      unless(Arrays.equals(read, written), "at %d it reads %s", offset, hex(read));
    }
    byte[] atEnd = vfio.readRegion(VfioPciRegion.BAR2, HbmPair.BAR_SIZE - 5, 64);
    unless(atEnd.length == 5, "%d bytes of the last 5", atEnd.length);
    Refusals.refused(
        Errno.EINVAL,
        "a read behind the end",
        () -> vfio.readRegion(VfioPciRegion.BAR2, HbmPair.BAR_SIZE, 1));
    Refusals.refused(
        Errno.EINVAL, "a read of no BAR", () -> vfio.readRegion(VfioPciRegion.BAR5, 0, 4));
    return "37 bytes at each of 8 alignments";
  }

  private static String registers(HbmPair pair) throws Exception {
    VfioDevice vfioA = pair.deviceA().vfio();
    VfioDevice vfioB = pair.deviceB().vfio();
    for (VfioDevice vfio : List.of(vfioA, vfioB)) {
      try (GuestMemory bar = vfio.mmapBar(HbmRegisters.BAR)) {
        for (Registers way : List.of(mapped(bar), file(vfio))) {
          check(way);
        }
      }
    }
    return "by mapping and by file, of A and of B";
  }

  private static void check(Registers registers) throws Exception {
    long id = HbmRegisters.ID_VALUE;
    long version = HbmRegisters.VERSION_VALUE;
    // ID and VERSION are two registers: 8 bytes at once are none.
    registers.expect(HbmRegisters.ID, AccessWidth.DWORD, id);
    registers.expect(HbmRegisters.VERSION, AccessWidth.DWORD, version);
    registers.expect(HbmRegisters.ID, AccessWidth.QWORD, 0);
    registers.expect(HbmRegisters.ID, AccessWidth.WORD, 0);
    registers.expect(HbmRegisters.ID + 2, AccessWidth.WORD, 0);
    registers.expect(HbmRegisters.ID, AccessWidth.BYTE, 0);
    // MEM_SIZE is one, of 8 bytes.
    registers.expect(HbmRegisters.MEM_SIZE, AccessWidth.QWORD, HbmPair.BAR_SIZE);
    registers.expect(HbmRegisters.MEM_SIZE, AccessWidth.DWORD, HbmPair.BAR_SIZE);
    registers.expect(HbmRegisters.MEM_SIZE + 4, AccessWidth.DWORD, 0);
    registers.store(HbmRegisters.SCRATCH, AccessWidth.DWORD, SCRATCH);
    registers.expect(HbmRegisters.SCRATCH, AccessWidth.DWORD, SCRATCH);
    registers.store(HbmRegisters.SCRATCH, AccessWidth.BYTE, 0xff);
    registers.store(HbmRegisters.SCRATCH, AccessWidth.WORD, 0xffff);
    registers.store(HbmRegisters.RESET_COUNT, AccessWidth.QWORD, -1);
    registers.expect(HbmRegisters.SCRATCH, AccessWidth.DWORD, SCRATCH);
    // What is read-only, and what is nothing.
    registers.store(HbmRegisters.ID, AccessWidth.DWORD, 0);
    registers.expect(HbmRegisters.ID, AccessWidth.DWORD, id);
    registers.store(HbmRegisters.BAR_SIZE - 8, AccessWidth.DWORD, -1);
    registers.expect(HbmRegisters.BAR_SIZE - 8, AccessWidth.DWORD, 0);
    registers.store(HbmRegisters.SCRATCH, AccessWidth.DWORD, 0);
  }

  /** A way to the registers that keeps to the width that it is told. */
  private interface Registers {
    long load(long offset, AccessWidth width) throws IOException;

    void store(long offset, AccessWidth width, long value) throws IOException;

    default void expect(long offset, AccessWidth width, long expected)
        throws IOException, UnexpectedException {
      long seen = load(offset, width);
      unless(seen == expected, "%s at 0x%x reads 0x%x, not 0x%x", width, offset, seen, expected);
    }
  }

  private static Registers mapped(GuestMemory bar) {
    return new Registers() {
      @Override
      public long load(long offset, AccessWidth width) throws IOException {
        return bar.load(offset, width);
      }

      @Override
      public void store(long offset, AccessWidth width, long value) throws IOException {
        bar.store(offset, width, value);
      }
    };
  }

  private static Registers file(VfioDevice vfio) {
    return new Registers() {
      @Override
      public long load(long offset, AccessWidth width) throws IOException {
        byte[] bytes = vfio.readRegion(VfioPciRegion.BAR0, offset, width.bytes());
        return ByteBuffer.wrap(Arrays.copyOf(bytes, Long.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN)
            .getLong();
      }

      @Override
      public void store(long offset, AccessWidth width, long value) throws IOException {
        vfio.writeRegion(VfioPciRegion.BAR0, offset, bytes(value, width));
      }
    };
  }

  private static String trapped(HbmPair pair) throws Exception {
    for (VfioDevice vfio : List.of(pair.deviceA().vfio(), pair.deviceB().vfio())) {
      // What QEMU traps is nothing that a guest's kernel could know.
      VfioRegionInfo info = vfio.region(VfioPciRegion.BAR0);
      unless(
          info.canMap() && info.mappable().isEmpty() && info.size() == HbmRegisters.BAR_SIZE,
          "BAR 0: %s",
          info);
    }
    long doorbell = HbmRegisters.doorbell(HbmPair.CHANNELS - 1);
    try (GuestMemory a = pair.deviceA().vfio().mmapBar(HbmRegisters.BAR);
        GuestMemory b = pair.deviceB().vfio().mmapBar(HbmRegisters.BAR)) {
      a.storeInt(doorbell, 5);
      int seenA = a.loadInt(doorbell);
      unless(seenA == 5, "A's mapped doorbell reads %d", seenA);
      b.storeInt(doorbell, 5);
      int seenB = b.loadInt(doorbell);
      unless(seenB == 0, "B's trapped doorbell reads %d", seenB);
      b.storeInt(HbmRegisters.SCRATCH, SCRATCH);
      int scratch = pair.b().read(HbmRegisters.SCRATCH);
      unless(scratch == SCRATCH, "B's SCRATCH is 0x%x", scratch);
      int ofA = pair.a().read(HbmRegisters.SCRATCH);
      unless(ofA == 0, "A's SCRATCH is 0x%x", ofA);
      b.storeInt(HbmRegisters.SCRATCH, 0);
      a.storeInt(doorbell, 0);
    }
    return "A's doorbell reads 5, B's 0";
  }

  private static String msixTable(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    int table = (HbmPair.CHANNELS + 1) * 16;
    VfioRegionInfo info = vfio.region(VfioPciRegion.BAR4);
    unless(info.canMap() && info.size() == HbmRegisters.MSIX_BAR_SIZE, "BAR 4: %s", info);
    byte[] ones = new byte[table];
    Arrays.fill(ones, (byte) 0xff);
    try (GuestMemory bar = vfio.mmapBar(HbmRegisters.MSIX_BAR)) {
      byte[] before = bar.read(HbmRegisters.MSIX_TABLE, table);
      unless(!Arrays.equals(before, ones), "the mapped table is all ones");
      byte[] read = vfio.readRegion(VfioPciRegion.BAR4, HbmRegisters.MSIX_TABLE, table);
      unless(Arrays.equals(read, ones), "the table reads %s", hex(read));
      vfio.writeRegion(VfioPciRegion.BAR4, HbmRegisters.MSIX_TABLE, new byte[table]);
      byte[] after = bar.read(HbmRegisters.MSIX_TABLE, table);
      unless(Arrays.equals(after, before), "the table was written: %s", hex(after));
    }
    byte[] pending = vfio.readRegion(VfioPciRegion.BAR4, HbmRegisters.MSIX_PENDING, 8);
    unless(Arrays.equals(pending, new byte[8]), "the pending bits read %s", hex(pending));
    return "%d bytes of ones".formatted(table);
  }

  private static byte[] bytes(long value, AccessWidth width) {
    byte[] all =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    return Arrays.copyOf(all, width.bytes());
  }

  private static long low(long value, AccessWidth width) {
    return width == AccessWidth.QWORD ? value : value & (1L << width.bytes() * Byte.SIZE) - 1;
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
