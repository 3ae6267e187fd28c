package dev.peerbar.scenario.nvme;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.nvme.Disk;
import dev.peerbar.scenario.fixture.nvme.LentController;
import dev.peerbar.scenario.fixture.nvme.MemoryKind;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;
import dev.peerbar.scenario.fixture.nvme.PeerMemories;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Random commands that B gives to A, and a model of what they do. NVMe knows no order between
 * commands, so those that are under way at a time never share a slot.
 *
 * <p>Disk and memory are slots of 4 KiB, each with the pattern of a seed of its own or with zeros;
 * moving a slot moves its seed.
 */
final class CommandMix {
  private static final int SLOT = 4096;
  private static final int DISK_SLOTS = 512;
  private static final int MEMORY_SLOTS = 96;
  private static final int LONGEST = 20;

  /** So that finding all alike is likely enough. */
  private static final int LONGEST_COMPARE = 4;

  private static final int LARGEST_BATCH = 7;

  /** Data begins inside a page, so that it ends inside one, too. */
  private static final long DATA_OFFSET = 0x208;

  /** Room of a PRP list: two pages, so that it can begin anywhere in the first. */
  private static final long LIST = 2L * SLOT;

  /** Where, in the first page, lists begin that have to go on in the second. */
  private static final long LATE = SLOT - 3L * Long.BYTES;

  /** Seeds whose patterns share no word within a slot. */
  private static final long SEED_STEP = SLOT;

  private static final long ZEROS = 0;
  private static final int BLOCKS_OF_SLOT = SLOT / NvmeHbm.BLOCK;

  private final LentController controller;
  private final PeerMemories memories;
  private final Disk storage;
  private final Random random;
  private final long[] disk = new long[DISK_SLOTS];
  private final Map<MemoryKind, long[]> memory = new EnumMap<>(MemoryKind.class);
  private final Map<IoCommand, Integer> counts = new EnumMap<>(IoCommand.class);
  private long lastSeed;

  private enum IoCommand {
    READ,
    WRITE,
    WRITE_ZEROES,
    COMPARE,
    FLUSH
  }

  /** Gives everything known contents. */
  CommandMix(NvmeHbm nvme, LentController controller) throws IOException {
    this.controller = controller;
    memories = controller.memories();
    storage = nvme.disk();
    random = nvme.run().random();
    lastSeed = nvme.nextSeed();
    storage.clear(0, (long) DISK_SLOTS * SLOT);
    for (MemoryKind where : MemoryKind.values()) {
      memory.put(where, new long[MEMORY_SLOTS]);
      for (int i = 0; i < MEMORY_SLOTS; i++) {
        renew(where, i);
      }
    }
  }

  private void renew(MemoryKind where, int slot) throws IOException {
    do {
      lastSeed += SEED_STEP;
    } while (lastSeed == ZEROS);
    put(where, slot, lastSeed);
  }

  private void put(MemoryKind where, int slot, long seed) throws IOException {
    if (seed == ZEROS) {
      memories.clear(where, offset(slot), SLOT);
    } else {
      memories.fill(where, offset(slot), SLOT, seed);
    }
    memory.get(where)[slot] = seed;
  }

  private static long offset(int slot) {
    return DATA_OFFSET + (long) slot * SLOT;
  }

  /** What B did with a queue: how many commands of which kind. */
  @Override
  public String toString() {
    return counts.toString();
  }

  /**
   * Has B submit commands, batch by batch, and checks how each ended.
   *
   * @param queue of at least 16 entries, of which none is in use
   */
  void run(NvmeQueue queue, int commands) throws IOException, UnexpectedException {
    for (int left = commands; left > 0; ) {
      Batch batch = new Batch(queue.nextCommandId());
      for (int n = Math.min(left, 1 + random.nextInt(LARGEST_BATCH)); n > 0; n--) {
        batch.add(n);
        left--;
      }
      controller.initiator().submit(queue, batch.commands);
      List<CompletionEntry> completions = queue.collect(batch.commands.size(), NvmeDriver.LIMIT);
      if (random.nextBoolean()) {
        controller.initiator().ringHead(queue);
      } else {
        queue.ringHead();
      }
      batch.check(completions);
    }
  }

  /** Commands that are under way together. */
  private final class Batch {
    private final int firstId;
    private final List<SubmissionEntry.Builder> commands = new ArrayList<>();
    private final Map<Integer, Status> expected = new HashMap<>();
    private final BitSet diskSlots = new BitSet();
    private final Map<MemoryKind, BitSet> memorySlots = new EnumMap<>(MemoryKind.class);

    Batch(int firstId) {
      this.firstId = firstId;
      Arrays.stream(MemoryKind.values()).forEach(p -> memorySlots.put(p, new BitSet()));
    }

    /** Adds a command whose PRP list, if it has one, is number {@code list}. */
    void add(int list) throws IOException {
      IoCommand kind = IoCommand.values()[random.nextInt(IoCommand.values().length)];
      int count = 1 + random.nextInt(kind == IoCommand.COMPARE ? LONGEST_COMPARE : LONGEST);
      int lba = free(diskSlots, DISK_SLOTS, count);
      MemoryKind where = MemoryKind.values()[random.nextInt(MemoryKind.values().length)];
      int at = free(memorySlots.get(where), MEMORY_SLOTS, count);
      if (kind == IoCommand.FLUSH || lba < 0 || at < 0) {
        add(IoCommand.FLUSH, NvmeCommands.flush(), Status.SUCCESS);
        return;
      }
      diskSlots.set(lba, lba + count);
      long block = (long) lba * BLOCKS_OF_SLOT;
      int blocks = count * BLOCKS_OF_SLOT;
      if (kind == IoCommand.WRITE_ZEROES) {
        Arrays.fill(disk, lba, lba + count, ZEROS);
        add(kind, NvmeCommands.writeZeroes(block, blocks), Status.SUCCESS);
        return;
      }
      memorySlots.get(where).set(at, at + count);
      long[] slots = memory.get(where);
      if (kind == IoCommand.COMPARE && random.nextBoolean()) {
        for (int i = 0; i < count; i++) {
          put(where, at + i, disk[lba + i]);
        }
      } else if (kind == IoCommand.WRITE && random.nextBoolean()) {
        renew(where, at);
      }
      DataPointer data = pointer(where, at, count, list);
      switch (kind) {
        case READ -> {
          System.arraycopy(disk, lba, slots, at, count);
          add(kind, NvmeCommands.read(block, blocks, data), Status.SUCCESS);
        }
        case WRITE -> {
          System.arraycopy(slots, at, disk, lba, count);
          add(
              kind,
              random.nextBoolean()
                  ? NvmeCommands.write(block, blocks, data)
                  : NvmeCommands.writeThrough(block, blocks, data),
              Status.SUCCESS);
        }
        default -> {
          boolean same = Arrays.equals(disk, lba, lba + count, slots, at, at + count);
          add(
              kind,
              NvmeCommands.compare(block, blocks, data),
              same ? Status.SUCCESS : Status.COMPARE_FAILURE);
        }
      }
    }

    private DataPointer pointer(MemoryKind where, int at, int count, int list) throws IOException {
      MemoryKind listWhere = MemoryKind.values()[random.nextInt(MemoryKind.values().length)];
      long start = random.nextBoolean() ? 0 : LATE;
      return DataPointer.of(
          memories.data(where, offset(at), (long) count * SLOT),
          memories.list(listWhere, list * LIST + start, LIST - start));
    }

    private void add(IoCommand kind, SubmissionEntry.Builder command, Status status) {
      expected.put(firstId + commands.size() & 0xffff, status);
      commands.add(command);
      counts.merge(kind, 1, Integer::sum);
    }

    void check(List<CompletionEntry> completions) throws UnexpectedException {
      for (CompletionEntry completion : completions) {
        Status status = expected.remove(completion.commandId());
        unless(status == completion.status(), "%s, expected %s", completion, status);
      }
    }
  }

  /** The first of free slots, or -1 after a few tries. */
  private int free(BitSet taken, int slots, int count) {
    for (int attempt = 0; attempt < 8; attempt++) {
      int at = random.nextInt(slots - count + 1);
      int next = taken.nextSetBit(at);
      if (next < 0 || next >= at + count) {
        return at;
      }
    }
    return -1;
  }

  /** Compares disk and memory with the model. */
  void check() throws IOException, UnexpectedException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment slot = arena.allocate(SLOT);
      for (int i = 0; i < DISK_SLOTS; i++) {
        storage.read((long) i * SLOT, slot);
        unless(isPattern(slot, disk[i]), "slot %d of the disk is not of seed %d", i, disk[i]);
      }
      for (var entry : memory.entrySet()) {
        check(entry.getKey(), entry.getValue(), slot);
      }
    }
  }

  private void check(MemoryKind where, long[] slots, MemorySegment slot)
      throws IOException, UnexpectedException {
    for (int i = 0; i < slots.length; i++) {
      MemorySegment.copy(
          MemorySegment.ofArray(memories.data(where, offset(i), SLOT).read(0, SLOT)),
          0,
          slot,
          0,
          SLOT);
      unless(isPattern(slot, slots[i]), "the guest: slot %d of %s is wrong", i, where);
      if (where != MemoryKind.GUEST) {
        unless(
            isPattern(memories.hostData(where, offset(i), SLOT), slots[i]),
            "the host: slot %d of %s is wrong",
            i,
            where);
      }
    }
  }

  private static boolean isPattern(MemorySegment slot, long seed) {
    if (seed == ZEROS) {
      return slot.mismatch(MemorySegment.ofArray(new byte[SLOT])) == -1;
    }
    return Pattern.mismatch(slot, seed) == SLOT;
  }
}
