package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileContents;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.FileKind;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.HugePages;
import dev.peerbar.server.fixture.MemoryFiles;
import dev.peerbar.server.fixture.ServedProgram;
import dev.peerbar.server.fixture.Wire;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Memory files that change their size under a mapping. A server that touched what is not there any
 * more would die of SIGBUS, so it is a process of its own.
 */
@Timeout(240)
@Tag("long")
final class ShrinkingFileTest {
  private static final long SIZE = 4 << 20;
  private static final long SOURCE = 1L << 32;
  private static final long TARGET = 1L << 33;

  @TempDir private Path directory;
  private ServedProgram program;
  private SocketDevice device;
  private VfioUserClient client;
  private HbmChannel channel;

  @BeforeEach
  void start() throws Exception {
    program = new ServedProgram(directory, 1024);
    device = new SocketDevice(program.connect());
    client = device.client();
    channel = Wire.channel(device, 0);
  }

  @AfterEach
  void stop() {
    device.close();
    program.close();
  }

  private interface Change {
    void apply(FileDescriptor source, FileDescriptor target) throws Exception;
  }

  /** Has a channel copy from one file to the other while they change. Returns its faults. */
  private int copyUnder(
      int rounds, FileDescriptor source, FileDescriptor target, Change change, Change after)
      throws Exception {
    client.dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(source));
    client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(target));
    int faults = 0;
    for (int round = 0; round < rounds; round++) {
      Descriptor copy = Descriptor.copy(SIZE).from(SOURCE).to(TARGET);
      channel.submit(
          copy,
          copy,
          Descriptor.copy(1 << 20).from(TARGET).toLocal(0),
          copy,
          Descriptor.copy(1 << 20).fromLocal(0).to(SOURCE).interrupt());
      change.apply(source, target);
      channel.awaitInterrupt();
      after.apply(source, target);
      // An interrupt is either the last entry's or a fault's.
      if (channel.state() == ChannelState.HALTED) {
        assertThat(channel.error()).isIn(ErrorCode.READ_FAULT.code(), ErrorCode.WRITE_FAULT.code());
        assertThat(channel.driver().faultAddress())
            .satisfiesAnyOf(
                address -> assertThat(address).isBetween(SOURCE, SOURCE + SIZE - 1),
                address -> assertThat(address).isBetween(TARGET, TARGET + SIZE - 1));
        faults++;
        again();
      }
    }
    client.dmaUnmap(SOURCE, SIZE);
    client.dmaUnmap(TARGET, SIZE);
    return faults;
  }

  private void livesOn() throws Exception {
    assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
    device.close();
    program.lives();
  }

  @ParameterizedTest
  @EnumSource
  void aFileThatShrinksAndGrowsUnderCopiesIsAFaultAtMost(FileKind kind) throws Exception {
    Random random = new Random(1);
    try (AutoCloseable _ = kind.huge() ? HugePages.withFree(4) : () -> {};
        FileDescriptor source = kind.create(SIZE);
        FileDescriptor target = kind.create(SIZE)) {
      int faults =
          copyUnder(
              60,
              source,
              target,
              (from, to) -> {
                for (int i = 0; i < 20; i++) {
                  MemoryFiles.resize(from, kind.size(random.nextLong(SIZE)));
                  MemoryFiles.resize(to, kind.size(random.nextLong(SIZE)));
                }
              },
              (from, to) -> {
                MemoryFiles.resize(from, SIZE);
                MemoryFiles.resize(to, SIZE);
              });
      System.out.printf("%s that shrank under copies: %d faults in 60 rounds%n", kind, faults);
      assertThat(copyUnderShrunk(source, target)).isEqualTo(ErrorCode.READ_FAULT.code());
    }
    livesOn();
  }

  @ParameterizedTest
  @EnumSource
  void whatWasCutOffIsNotGivenBackByWrites(FileKind kind) throws Exception {
    try (AutoCloseable _ = kind.huge() ? HugePages.withFree(4) : () -> {};
        FileDescriptor source = kind.create(SIZE);
        FileDescriptor target = kind.create(SIZE)) {
      client.dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(source));
      client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(target));
      MemoryFiles.resize(target, SIZE / 2);
      channel.run(Descriptor.copy(SIZE).from(SOURCE).to(TARGET).interrupt());
      Wire.halted(channel, ErrorCode.WRITE_FAULT);
      assertThat(channel.driver().faultAddress())
          .isBetween(TARGET + SIZE / 2 - (2 << 20), TARGET + SIZE / 2);
      assertThat(FileStatus.of(target).size()).isEqualTo(SIZE / 2);
      again();
      channel.run(Descriptor.fill(7, SIZE).to(TARGET).interrupt());
      Wire.halted(channel, ErrorCode.WRITE_FAULT);
      assertThat(FileStatus.of(target).size()).isEqualTo(SIZE / 2);
    }
    livesOn();
  }

  /** After a fault. */
  private void again() throws Exception {
    client.reset();
    channel.setUp();
    channel.interrupted();
  }

  @ParameterizedTest
  @EnumSource
  void holesUnderCopiesReadAsZeros(FileKind kind) throws Exception {
    try (AutoCloseable _ = kind.huge() ? HugePages.withFree(8) : () -> {};
        FileDescriptor source = kind.create(SIZE);
        FileDescriptor target = kind.create(SIZE)) {
      int faults =
          copyUnder(
              40,
              source,
              target,
              (from, to) -> {
                for (int i = 0; i < 50; i++) {
                  FileContents.punchHole(from, 0, SIZE);
                  FileContents.punchHole(to, 0, SIZE);
                }
              },
              (from, to) -> {});
      assertThat(faults).isZero();
    }
    livesOn();
  }

  /** Maps before and copies after. */
  private int copyUnderShrunk(FileDescriptor source, FileDescriptor target) throws Exception {
    MemoryFiles.resize(source, SIZE);
    client.dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(source));
    client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(target));
    MemoryFiles.resize(source, 0);
    channel.run(Descriptor.copy(SIZE).from(SOURCE).to(TARGET).interrupt());
    return channel.error();
  }

  @Test
  void holesInASealedFileReadAsZeros() throws Exception {
    try (GuestMemory source = new GuestMemory("holes-source", SIZE);
        GuestMemory target = new GuestMemory("holes-target", SIZE)) {
      int faults =
          copyUnder(
              40,
              source.randomise(1).file(),
              target.file(),
              (from, to) -> {
                for (int i = 0; i < 50; i++) {
                  FileContents.punchHole(from, 0, SIZE);
                  FileContents.punchHole(to, 0, SIZE);
                }
              },
              (from, to) -> {});
      assertThat(faults).isZero();
    }
    livesOn();
  }

  /** Sealing comes last: whoever asked for the size before it was told of bytes that are gone. */
  @Test
  void aFileThatIsSealedWhenItHasShrunkIsAFaultAtMost() throws Exception {
    int refused = 0;
    int faults = 0;
    int rounds = 300;
    for (int round = 0; round < rounds; round++) {
      try (FileDescriptor file = MemoryFiles.unsealed(SIZE)) {
        int spin = round * 97 % 4000;
        CompletableFuture<Void> shrinking =
            CompletableFuture.runAsync(() -> {
              for (int i = 0; i < spin; i++) {
                Thread.onSpinWait();
              }
              MemoryFiles.resize(file, 0);
              MemoryFiles.seal(file);
            });
        boolean mapped = true;
        try {
          client.dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(file));
        } catch (RemoteErrorException e) {
          mapped = false;
          refused++;
        }
        shrinking.join();
        if (mapped) {
          channel.run(Descriptor.copy(1 << 20).from(SOURCE).toLocal(0).interrupt());
          Wire.halted(channel, ErrorCode.READ_FAULT);
          faults++;
          again();
          client.dmaUnmap(SOURCE, SIZE);
        }
      }
    }
    System.out.printf(
        "files sealed while they were mapped: %d refused, %d faults%n", refused, faults);
    assertThat(refused + faults).isEqualTo(rounds);
    livesOn();
  }

  /** Sealed huge pages have holes too, and what fills a hole is the machine's to give. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void anEmptyPoolIsAFaultAtMost(boolean sealed) throws Exception {
    try (HugePages pool = HugePages.withFree(2);
        FileDescriptor file =
            sealed ? MemoryFiles.hugePages(SIZE) : MemoryFiles.unsealedHugePages(SIZE)) {
      client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(file));
      channel.run(Descriptor.fill(7, SIZE).to(TARGET).interrupt());
      Wire.idle(channel);
      // Others find the pool empty for no longer than this.
      try {
        FileContents.punchHole(file, 0, SIZE);
        pool.takeAll();
        channel.run(Descriptor.fill(7, SIZE).to(TARGET).interrupt());
      } finally {
        pool.giveBack();
      }
      Wire.halted(channel, ErrorCode.WRITE_FAULT);
      assertThat(channel.driver().faultAddress()).isEqualTo(TARGET);
      again();
      channel.run(Descriptor.fill(7, SIZE).to(TARGET).interrupt());
      Wire.idle(channel);
    }
    livesOn();
  }

  /** Its pages are set aside when it is mapped, so that nobody has to find out later. */
  @Test
  void aFileThatThePoolIsTooSmallForIsRefused() throws Exception {
    try (FileDescriptor file = MemoryFiles.giganticPages(1L << 40)) {
      assertThatThrownBy(
              () -> client.dmaMap(Wire.READ_WRITE, 0, TARGET, 1L << 30, Optional.of(file)))
          .isInstanceOfSatisfying(
              RemoteErrorException.class, e -> assertThat(e.code()).isEqualTo(Errno.ENOMEM.code()));
    }
    livesOn();
  }

  /** Clients that have such memory answer no DMA_READ and no DMA_WRITE: this one would refuse. */
  @Test
  void hugePagesAreReachedWithoutMessages() throws Exception {
    MemorySegment bytes = Arena.ofAuto().allocate(SIZE);
    GuestMemory.randomise(bytes, 2);
    try (HugePages _ = HugePages.withFree(2);
        FileDescriptor file = MemoryFiles.unsealedHugePages(SIZE);
        Mapping mapping = SharedMemory.map(file, 0, SIZE, SharedMemory.Access.READ_WRITE)) {
      mapping.segment().copyFrom(bytes);
      client.dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(file));
      channel.run(Descriptor.copy(1 << 20).from(SOURCE).toLocal(0).interrupt());
      Wire.idle(channel);
      assertThat(MemorySegment.ofArray(client.regionRead(Wire.MEMORY, 0, 1 << 20)))
          .satisfies(seen -> assertThat(seen.mismatch(bytes.asSlice(0, 1 << 20))).isEqualTo(-1));
      channel.run(Descriptor.copy(1 << 20).fromLocal(0).to(SOURCE + (3 << 20)).interrupt());
      Wire.idle(channel);
      assertThat(mapping.segment().asSlice(3 << 20).mismatch(bytes.asSlice(0, 1 << 20)))
          .isEqualTo(-1);
    }
    livesOn();
  }

  /** More address space than there is: the process needs some for itself. */
  @Test
  void filesOfManyTerabytesLeaveAddressSpaceForTheServer() throws Exception {
    int mapped = 0;
    for (int i = 0; i < 40; i++) {
      try (FileDescriptor file = MemoryFiles.unsealed(3L << 40)) {
        MemoryFiles.seal(file);
        client.dmaMap(Wire.READ_WRITE, 0, SOURCE + i * SIZE, SIZE, Optional.of(file));
        mapped++;
      } catch (RemoteErrorException e) {
        assertThat(e.code()).isPositive();
      }
    }
    assertThat(mapped).isEqualTo(40);
    channel.run(
        Descriptor.fill(7, SIZE).to(SOURCE + 39 * SIZE).interrupt(),
        Descriptor.copy(4096).from(SOURCE).toLocal(0).interrupt());
    Wire.await(
        "the end", () -> channel.state() == ChannelState.RUNNING ? false : channel.head() == 2);
    Wire.idle(channel);
    livesOn();
  }
}
