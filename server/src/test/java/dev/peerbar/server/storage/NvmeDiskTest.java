package dev.peerbar.server.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.peerbar.cli.RunningProgram;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.nvme.NvmeBuffer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.FileContents;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.server.fixture.NvmeWire;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The program with an image on a disk: what a kill leaves of it, and what a full disk becomes. */
@Tag("long")
@Timeout(180)
final class NvmeDiskTest {
  private static final long SIZE = 32 << 20;
  private static final int BLOCKS = (int) (SIZE / NvmeWire.LBA);
  private static final int LARGE = 512 << 10;
  private static final int ENTRIES = 64;

  /** Where writes end that a limit of the process does not let through. */
  private static final int LIMIT = 16 << 20;

  @TempDir private Path directory;
  private RunningProgram program;
  private SocketDevice device;
  private NvmeDriver driver;

  @AfterEach
  void stop() {
    hangUp();
    if (program != null) {
      program.close();
    }
  }

  private Path image() throws IOException {
    Path image = directory.resolve("disk.raw");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(SIZE);
    }
    return image;
  }

  private NvmeDriver serve(Path image, String... wrapper) throws Exception {
    Path socket = directory.resolve("disk.sock");
    program =
        RunningProgram.start(
            directory,
            List.of(wrapper),
            List.of(),
            "serve",
            "nvme",
            "--socket-path=" + socket,
            "--backing=" + image,
            "--queues=2",
            "--cmb=1M");
    program.ready(socket);
    device = new SocketDevice(NvmeWire.connect(socket));
    driver = NvmeWire.start(NvmeWire.driver(device));
    return driver;
  }

  private void hangUp() {
    if (device != null) {
      device.close();
      device = null;
    }
  }

  /** SIGKILL, in the middle of whatever it does. */
  private void kill() throws Exception {
    program.process().destroyForcibly();
    assertThat(program.ended()).isNotZero();
    hangUp();
  }

  private static byte[] random(long seed, int length) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  @Test
  void whatWasFlushedSurvivesAKill() throws Exception {
    Path image = image();
    int pieces = (int) (SIZE / LARGE);
    long[] seeds = new long[pieces];
    for (int round = 1; round <= 3; round++) {
      serve(image);
      NvmeBuffer data = driver.buffer(LARGE);
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      // All that was flushed or forced before the last kill.
      for (int piece = 0; piece < pieces; piece++) {
        queue.succeed(NvmeWire.read(lba(piece), data));
        MemorySegment expected =
            MemorySegment.ofArray(
                seeds[piece] == 0 ? new byte[LARGE] : random(seeds[piece], LARGE));
        assertThat(NvmeWire.bytes(data).mismatch(expected)).as("piece %d", piece).isEqualTo(-1);
      }
      for (int piece = 0; piece < pieces; piece++) {
        seeds[piece] = round * 1000L + piece;
        data.data().write(0, random(seeds[piece], LARGE));
        boolean force = piece == pieces - 1;
        queue.succeed(
            force
                ? NvmeCommands.writeThrough(lba(piece), LARGE / NvmeWire.LBA, data.pointer())
                : NvmeWire.write(lba(piece), data));
        if (piece == pieces - 2) {
          queue.succeed(NvmeCommands.flush());
        }
      }
      // Not acknowledged, and over blocks that are as they were when it is done.
      data.data().write(0, random(seeds[0], LARGE));
      while (queue.outstanding() < ENTRIES - 1) {
        queue.put(NvmeWire.write(lba(0), data));
      }
      queue.ring();
      kill();
    }
  }

  private static long lba(int piece) {
    return (long) piece * LARGE / NvmeWire.LBA;
  }

  @Test
  void aTerminatedServerLetsGoOfTheImage() throws Exception {
    Path image = image();
    for (int round = 0; round < 2; round++) {
      serve(image);
      String serial = serial();
      assertThat(serial).matches("PB[0-9a-f]{16}");
      program.terminate();
      assertThat(program.ended()).isZero();
      hangUp();
    }
  }

  private String serial() throws IOException {
    return driver.identify().serialNumber();
  }

  @Test
  void aServerHasTheSameSerialNumberEachTimeAndOthersAnother() throws Exception {
    Path image = image();
    serve(image);
    String first = serial();
    kill();
    serve(image);
    assertThat(serial()).isEqualTo(first);
    kill();
    serve(Files.copy(image, directory.resolve("other.raw")));
    assertThat(serial()).isNotEqualTo(first);
  }

  /** RLIMIT_FSIZE: the one full disk that needs no rights, and no disk. */
  @Test
  void aLimitOfFileSizesIsAStatus() throws Exception {
    // In blocks of 512 or 1024 bytes, as the shell has it.
    Path image = image();
    serve(image, "/bin/sh", "-c", "ulimit -f $(( " + LIMIT + " / 512 )); exec \"$@\"", "sh");
    NvmeBuffer data = driver.buffer(LARGE);
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    data.data().fill(0, data.length(), (byte) 1);
    queue.succeed(NvmeWire.write(0, data));
    assertThat(queue.execute(NvmeWire.write(BLOCKS - LARGE / NvmeWire.LBA, data)).status())
        .isEqualTo(Status.CAPACITY_EXCEEDED);
    works(queue, data);
    // What is there can be read everywhere.
    queue.succeed(NvmeWire.read(BLOCKS - LARGE / NvmeWire.LBA, data));
  }

  @Test
  void aFullDiskIsAStatusUntilThereIsRoom() throws Exception {
    Path mount = Files.createDirectory(directory.resolve("small"));
    Path image = mount.resolve("disk.raw");
    String[] unshare = {"unshare", "--user", "--map-root-user", "--mount"};
    assumeTrue(
        runs("unshare", "--user", "--map-root-user", "--mount", "/bin/true"),
        "this machine lets nobody make a mount namespace");
    String script =
        "mount -t tmpfs -o size=4m none %s && truncate -s %d %s && exec \"$@\""
            .formatted(mount, SIZE, image);
    serve(image, unshare[0], unshare[1], unshare[2], unshare[3], "/bin/sh", "-c", script, "sh");
    NvmeBuffer data = driver.buffer(LARGE);
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    data.data().fill(0, data.length(), (byte) 1);
    int room = 0;
    while (queue.execute(NvmeWire.write(lba(room), data)).status() == Status.SUCCESS) {
      room++;
    }
    assertThat(room).as("pieces that there is room for").isBetween(6, 8);
    assertThat(queue.execute(NvmeWire.write(lba(room), data)).status())
        .isEqualTo(Status.CAPACITY_EXCEEDED);
    assertThat(
            queue
                .execute(NvmeCommands.writeThrough(lba(room), LARGE / NvmeWire.LBA, data.pointer()))
                .status())
        .isEqualTo(Status.CAPACITY_EXCEEDED);
    queue.succeed(NvmeCommands.flush());
    works(queue, data);
    // Room that is given back can be used.
    discard(queue, 0, 2 * LARGE / NvmeWire.LBA);
    data.data().fill(0, data.length(), (byte) 2);
    queue.succeed(NvmeWire.write(lba(room), data));
    NvmeBuffer seen = driver.buffer(LARGE);
    queue.succeed(NvmeWire.read(lba(room), seen));
    assertThat(NvmeWire.bytes(seen).mismatch(NvmeWire.bytes(data))).isEqualTo(-1);
    assertThat(program.errors()).doesNotContain("ERROR");
  }

  private static boolean runs(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getInputStream().readAllBytes();
    return process.waitFor(30, TimeUnit.SECONDS) && process.exitValue() == 0;
  }

  /** The controller does, in spite of errors. */
  private void works(NvmeQueue queue, NvmeBuffer data) throws IOException {
    queue.succeed(NvmeWire.read(0, data));
    data.data().fill(0, data.length(), (byte) 3);
    queue.succeed(NvmeWire.write(0, data));
    assertThat(driver.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
    assertThat(errors()).as("errors that the log counts").isPositive();
  }

  /** Number of Error Information Log Entries, of the SMART log. */
  private long errors() throws IOException {
    NvmeBuffer log = driver.buffer(512);
    driver
        .admin()
        .succeed(
            SubmissionEntry.builder(AdminOpcode.GET_LOG_PAGE)
                .namespaceId(-1)
                .prp1(log.data().iova())
                .dword(10, 2 | 127 << 16));
    return log.data().loadLong(176);
  }

  private void discard(NvmeQueue queue, long lba, int blocks) throws IOException {
    NvmeBuffer ranges = driver.buffer(4096);
    ranges.data().storeInt(4, blocks);
    ranges.data().storeLong(8, lba);
    queue.succeed(NvmeCommands.deallocate(1, ranges.pointer()));
  }

  @Test
  void discardedBlocksGiveTheirRoomBack() throws Exception {
    Path image = image();
    serve(image);
    NvmeBuffer data = driver.buffer(LARGE);
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    data.data().fill(0, data.length(), (byte) 1);
    for (int piece = 0; piece < 8; piece++) {
      queue.succeed(NvmeWire.write(lba(piece), data));
    }
    queue.succeed(NvmeCommands.flush());
    assertThat(allocated(image)).isGreaterThanOrEqualTo(8 * LARGE);
    discard(queue, lba(1), 4 * LARGE / NvmeWire.LBA);
    assertThat(allocated(image)).isBetween(4L * LARGE, 4L * LARGE + 65536);
    queue.succeed(NvmeWire.read(lba(2), data));
    assertThat(NvmeWire.bytes(data).mismatch(MemorySegment.ofArray(new byte[LARGE]))).isEqualTo(-1);
  }

  private static long allocated(Path image) throws IOException {
    try (FileDescriptor file = FileContents.open(image)) {
      return FileStatus.of(file).allocated();
    }
  }

  @Test
  void aShortenedImageIsAStatus() throws Exception {
    Path image = image();
    serve(image);
    NvmeBuffer data = driver.buffer(LARGE);
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    queue.succeed(NvmeWire.read(lba(1), data));
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(LARGE);
    }
    assertThat(queue.execute(NvmeWire.read(lba(1), data)).status())
        .isEqualTo(Status.UNRECOVERED_READ_ERROR);
    assertThat(queue.execute(NvmeWire.write(lba(1), data)).status()).isEqualTo(Status.WRITE_FAULT);
    assertThat(queue.execute(NvmeCommands.flush()).status()).isEqualTo(Status.WRITE_FAULT);
    queue.succeed(NvmeWire.read(0, data));
    assertThat(Files.size(image)).isEqualTo(LARGE);
    assertThat(driver.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
  }
}
