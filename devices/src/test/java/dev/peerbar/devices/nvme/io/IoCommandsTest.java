package dev.peerbar.devices.nvme.io;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeFixture;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.TestStorage;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** I/O commands, well and badly formed: statuses, what reaches storage, what reaches memory. */
@InEveryMode
final class IoCommandsTest {
  private static final int LBA = 512;
  private static final int BLOCKS = 4096;
  private static final int FUA = 1 << 30;
  private static final long UNMAPPED = 0x7000_0000L;

  private final TestStorage storage = new TestStorage((long) BLOCKS * LBA);
  private final NvmeFixture nvme;
  private final NvmeDriver driver;
  private final NvmeQueue queue;
  private final DmaRange buffer;

  IoCommandsTest(Engine.Polling polling) throws IOException {
    nvme = new NvmeFixture(polling, storage);
    driver = nvme.driver;
    driver.enable();
    queue = driver.createQueue(1, 16);
    buffer = driver.allocate(2 * NvmeDriver.PAGE);
    byte[] noise = new byte[(int) storage.size()];
    new Random(1).nextBytes(noise);
    storage.bytes().copyFrom(MemorySegment.ofArray(noise));
  }

  private Status run(SubmissionEntry.Builder command) throws IOException {
    return queue.execute(command.build()).status();
  }

  private SubmissionEntry.Builder io(IoOpcode opcode, long firstLba, int blocks) {
    return NvmeFixture.io(opcode, firstLba, blocks, buffer);
  }

  /** Runs a command that must fail, and must not have touched anything. */
  private void refused(SubmissionEntry.Builder command, Status status) throws IOException {
    byte[] stored = storage.bytes().toArray(ValueLayout.JAVA_BYTE);
    byte[] memory = buffer.read(0, 2 * NvmeDriver.PAGE);
    storage.calls().clear();
    CompletionEntry completion = queue.execute(command.build());
    assertThat(completion.status()).isEqualTo(status);
    assertThat(storage.calls()).isEmpty();
    assertThat(storage.bytes().mismatch(MemorySegment.ofArray(stored))).isEqualTo(-1);
    assertThat(buffer.read(0, 2 * NvmeDriver.PAGE)).isEqualTo(memory);
  }

  private byte[] stored(long firstLba, int blocks) {
    return storage
        .bytes()
        .asSlice(firstLba * LBA, (long) blocks * LBA)
        .toArray(ValueLayout.JAVA_BYTE);
  }

  @Test
  void anUnknownOpcodeIsSaid() throws IOException {
    for (int opcode : new int[] {0x03, 0x04, 0x06, 0x0a, 0x0d, 0x7f, 0x80, 0xff}) {
      refused(SubmissionEntry.builder(opcode).namespaceId(1), Status.INVALID_COMMAND_OPCODE);
    }
  }

  @ParameterizedTest
  @EnumSource(IoOpcode.class)
  void fieldsThatAllHaveAreJudged(IoOpcode opcode) throws IOException {
    for (int namespace : new int[] {0, 2, 0xffff_fffe}) {
      refused(io(opcode, 0, 1).namespaceId(namespace), Status.INVALID_NAMESPACE_OR_FORMAT);
    }
    if (opcode != IoOpcode.FLUSH) {
      refused(io(opcode, 0, 1).namespaceId(-1), Status.INVALID_NAMESPACE_OR_FORMAT);
    }
    for (int fuse = 1; fuse < 4; fuse++) {
      refused(io(opcode, 0, 1).fuse(fuse), Status.INVALID_FIELD_IN_COMMAND);
    }
    refused(io(opcode, 0, 1).psdt(3), Status.INVALID_FIELD_IN_COMMAND);
  }

  @ParameterizedTest
  @EnumSource(
      value = IoOpcode.class,
      names = {"READ", "WRITE", "COMPARE", "WRITE_ZEROES", "VERIFY"})
  void blocksAreWithinTheNamespace(IoOpcode opcode) throws IOException {
    refused(io(opcode, BLOCKS, 1), Status.LBA_OUT_OF_RANGE);
    refused(io(opcode, BLOCKS - 1, 2), Status.LBA_OUT_OF_RANGE);
    refused(io(opcode, -1, 1), Status.LBA_OUT_OF_RANGE);
    refused(io(opcode, Long.MIN_VALUE, 1), Status.LBA_OUT_OF_RANGE);
    refused(io(opcode, Long.MAX_VALUE, 16), Status.LBA_OUT_OF_RANGE);
    assertThat(run(io(opcode, BLOCKS - 1, 1))).isIn(Status.SUCCESS, Status.COMPARE_FAILURE);
  }

  /** PRACT and the PRCHK bits, which Linux's passthrough and fio's set unasked. */
  @ParameterizedTest
  @EnumSource(
      value = IoOpcode.class,
      names = {"READ", "WRITE", "COMPARE", "WRITE_ZEROES", "VERIFY"})
  void withoutProtectionInformationItsBitsMeanNothing(IoOpcode opcode) throws IOException {
    run(io(IoOpcode.READ, 8, 2));
    for (int bit = 26; bit < 30; bit++) {
      storage.calls().clear();
      assertThat(run(io(opcode, 8, 2).dword(12, 1 << bit | 1))).isEqualTo(Status.SUCCESS);
      assertThat(storage.calls()).as("as without").singleElement().asString().endsWith("4096+1024");
      run(io(IoOpcode.READ, 8, 2));
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = IoOpcode.class,
      names = {"READ", "WRITE", "COMPARE"})
  void transfersAreJudged(IoOpcode opcode) throws IOException {
    // 512 KiB are the most; the second page would be a list.
    refused(io(opcode, 0, 1025), Status.INVALID_FIELD_IN_COMMAND);
    refused(io(opcode, 0, 65536), Status.INVALID_FIELD_IN_COMMAND);
    refused(io(opcode, 0, 1).prp1(buffer.iova() + 2), Status.PRP_OFFSET_INVALID);
    refused(io(opcode, 0, 16).prp2(buffer.iova() + 16), Status.PRP_OFFSET_INVALID);
    refused(io(opcode, 0, 17).prp2(UNMAPPED), Status.DATA_TRANSFER_ERROR);
    refused(
        io(opcode, 0, 1).psdt(1).prp1(buffer.iova()).dword(8, 511).dword(9, 0),
        Status.DATA_SGL_LENGTH_INVALID);
    assertThat(run(io(opcode, 0, 1).psdt(1).prp1(buffer.iova()).dword(8, 512).dword(9, 0)))
        .isIn(Status.SUCCESS, Status.COMPARE_FAILURE);
  }

  @Test
  void aWriteThatCannotReadItsDataChangesNothing() throws IOException {
    refused(io(IoOpcode.WRITE, 0, 9).prp2(UNMAPPED), Status.DATA_TRANSFER_ERROR);
    refused(io(IoOpcode.COMPARE, 0, 9).prp2(UNMAPPED), Status.DATA_TRANSFER_ERROR);
    assertThat(run(io(IoOpcode.READ, 0, 9).prp2(UNMAPPED))).isEqualTo(Status.DATA_TRANSFER_ERROR);
    assertThat(run(io(IoOpcode.READ, 0, 1))).isEqualTo(Status.SUCCESS);
  }

  @Test
  void writesAreAsDurableAsAsked() throws IOException {
    assertThat(run(io(IoOpcode.WRITE, 1, 2))).isEqualTo(Status.SUCCESS);
    assertThat(run(io(IoOpcode.WRITE, 1, 2).dword(12, FUA | 1))).isEqualTo(Status.SUCCESS);
    assertThat(run(io(IoOpcode.WRITE_ZEROES, 8, 8).dword(12, FUA | 1 << 25 | 7)))
        .isEqualTo(Status.SUCCESS);
    assertThat(run(io(IoOpcode.FLUSH, 0, 1))).isEqualTo(Status.SUCCESS);
    assertThat(run(io(IoOpcode.FLUSH, 0, 1).namespaceId(-1))).isEqualTo(Status.SUCCESS);
    assertThat(storage.calls())
        .containsExactly(
            "write 512+1024",
            "write 512+1024 durable",
            "zero 4096+4096 deallocate",
            "flush",
            "flush",
            "flush");
    // Volatile Write Cache off.
    driver.admin().succeed(SubmissionEntry.builder(AdminOpcode.SET_FEATURES).dword(10, 6));
    storage.calls().clear();
    assertThat(run(io(IoOpcode.WRITE, 1, 2))).isEqualTo(Status.SUCCESS);
    assertThat(run(io(IoOpcode.WRITE_ZEROES, 8, 8))).isEqualTo(Status.SUCCESS);
    assertThat(storage.calls())
        .containsExactly("write 512+1024 durable", "zero 4096+4096", "flush");
  }

  @Test
  void zeroesAreWritten() throws IOException {
    byte[] before = stored(0, 4);
    assertThat(run(io(IoOpcode.WRITE_ZEROES, 1, 2))).isEqualTo(Status.SUCCESS);
    assertThat(stored(1, 2)).containsOnly(0);
    assertThat(stored(0, 1)).isEqualTo(java.util.Arrays.copyOf(before, LBA));
    // More than a transfer may have.
    assertThat(run(io(IoOpcode.WRITE_ZEROES, 0, BLOCKS))).isEqualTo(Status.SUCCESS);
    assertThat(stored(0, BLOCKS)).containsOnly(0);
  }

  @Test
  void comparesTellEqualFromDifferent() throws IOException {
    run(io(IoOpcode.READ, 40, 16));
    assertThat(run(io(IoOpcode.COMPARE, 40, 16))).isEqualTo(Status.SUCCESS);
    byte[] data = buffer.read(0, 8192);
    data[8191] ^= 1;
    buffer.write(0, data);
    assertThat(run(io(IoOpcode.COMPARE, 40, 16))).isEqualTo(Status.COMPARE_FAILURE);
  }

  @Test
  void verifyReadsAllAndMovesNothing() throws IOException {
    byte[] memory = buffer.read(0, 8192);
    storage.calls().clear();
    assertThat(run(io(IoOpcode.VERIFY, 0, 1500))).isEqualTo(Status.SUCCESS);
    assertThat(storage.calls()).containsExactly("read 0+524288", "read 524288+243712");
    assertThat(buffer.read(0, 8192)).isEqualTo(memory);
  }

  private SubmissionEntry.Builder dsm(int ranges, int attributes) {
    return SubmissionEntry.builder(IoOpcode.DATASET_MANAGEMENT)
        .namespaceId(1)
        .prp1(buffer.iova())
        .dword(10, ranges - 1)
        .dword(11, attributes);
  }

  private void range(int index, int length, long firstLba) {
    MemorySegment range = buffer.slice(16L * index, 16).segment();
    range.set(ValueLayout.JAVA_INT, 0, 0x1234);
    range.set(ValueLayout.JAVA_INT, 4, length);
    range.set(ValueLayout.JAVA_LONG, 8, firstLba);
  }

  @Test
  void rangesAreDeallocated() throws IOException {
    for (int i = 0; i < 256; i++) {
      range(i, i == 7 ? 0 : 1, 2L * i);
    }
    assertThat(run(dsm(256, 4))).isEqualTo(Status.SUCCESS);
    assertThat(storage.calls()).hasSize(255).contains("discard 0+512", "discard 261120+512");
    assertThat(stored(16, 1)).containsOnly(0);
    // Hints are no more than that.
    refused(dsm(1, 3), Status.SUCCESS);
  }

  /**
   * Whatever one command has to do, the end of its generation waits for a step of it and no more.
   */
  @ParameterizedTest
  @EnumSource(
      value = IoOpcode.class,
      names = {"DATASET_MANAGEMENT", "WRITE_ZEROES", "VERIFY"})
  void aLongCommandEndsWithItsLife(IoOpcode opcode) throws IOException {
    storage.step(4096);
    range(0, BLOCKS, 0);
    SubmissionEntry.Builder command =
        opcode == IoOpcode.DATASET_MANAGEMENT ? dsm(1, 4) : io(opcode, 0, BLOCKS);
    storage.calls().clear();
    storage.before(_ -> {
      if (storage.calls().size() == 2) {
        nvme.write4(NvmeRegisters.CC, 0);
      }
    });
    queue.put(command.build());
    queue.ring();
    nvme.host.settle();
    assertThat(storage.calls()).as("the step in which the generation ended is the last").hasSize(3);
    storage.before(_ -> {});
    driver.enable();
    assertThat(driver.createQueue(1, 16).execute(io(IoOpcode.FLUSH, 0, 1).commandId(1)).status())
        .isEqualTo(Status.SUCCESS);
  }

  @Test
  void aLongRangeIsDoneInSteps() throws IOException {
    storage.step(1 << 20);
    range(0, BLOCKS - 2, 1);
    assertThat(run(dsm(1, 4))).isEqualTo(Status.SUCCESS);
    assertThat(storage.calls()).containsExactly("discard 512+1048576", "discard 1049088+1047552");
    assertThat(stored(1, BLOCKS - 2)).containsOnly(0);
  }

  @Test
  void oneRangeOutsideAndNoneIsDeallocated() throws IOException {
    range(0, 1, 0);
    range(1, 2, BLOCKS - 1);
    refused(dsm(2, 4), Status.LBA_OUT_OF_RANGE);
    range(1, 1, -1);
    refused(dsm(2, 4), Status.LBA_OUT_OF_RANGE);
    range(1, -1, 0);
    refused(dsm(2, 4), Status.LBA_OUT_OF_RANGE);
    refused(dsm(256, 4).prp1(UNMAPPED), Status.DATA_TRANSFER_ERROR);
    assertThat(run(dsm(1, 4))).isEqualTo(Status.SUCCESS);
  }

  @Test
  void storageThatFailsIsAStatus() throws IOException {
    StorageException.Kind[] kinds = StorageException.Kind.values();
    Status[] statuses = {
      Status.CAPACITY_EXCEEDED, Status.UNRECOVERED_READ_ERROR, Status.WRITE_FAULT
    };
    for (int i = 0; i < kinds.length; i++) {
      StorageException.Kind kind = kinds[i];
      storage.before(_ -> {
        throw new StorageException(kind, "broken");
      });
      for (IoOpcode opcode : new IoOpcode[] {IoOpcode.READ, IoOpcode.WRITE, IoOpcode.FLUSH}) {
        assertThat(run(io(opcode, 0, 1))).isEqualTo(statuses[i]);
      }
    }
    storage.before(_ -> {});
    assertThat(run(io(IoOpcode.WRITE, 0, 1))).isEqualTo(Status.SUCCESS);
  }

  @Test
  void failuresAreInTheErrorLog() throws IOException {
    refused(io(IoOpcode.READ, BLOCKS + 5, 1).commandId(77), Status.LBA_OUT_OF_RANGE);
    DmaRange log = driver.allocate(NvmeDriver.PAGE);
    driver
        .admin()
        .succeed(
            SubmissionEntry.builder(AdminOpcode.GET_LOG_PAGE)
                .namespaceId(-1)
                .prp1(log.iova())
                .dword(10, 15 << 16 | 1));
    MemorySegment entry = log.segment();
    assertThat(entry.get(ValueLayout.JAVA_SHORT, 8)).isEqualTo((short) 1);
    assertThat(entry.get(ValueLayout.JAVA_SHORT, 10)).isEqualTo((short) 77);
    assertThat(entry.get(ValueLayout.JAVA_SHORT, 12) >>> 1 & 0xff).isEqualTo(0x80);
    assertThat(entry.get(ValueLayout.JAVA_SHORT, 14)).isEqualTo((short) 40);
    assertThat(entry.get(ValueLayout.JAVA_LONG, 16)).isEqualTo(BLOCKS + 5);
    assertThat(entry.get(ValueLayout.JAVA_INT, 24)).isEqualTo(1);
  }
}
