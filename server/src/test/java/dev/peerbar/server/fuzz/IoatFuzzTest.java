package dev.peerbar.server.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.ioat.ChannelError;
import dev.peerbar.devices.ioat.ChannelState;
import dev.peerbar.devices.ioat.IoatConfig;
import dev.peerbar.devices.ioat.IoatDescriptor;
import dev.peerbar.devices.ioat.IoatEndpoint;
import dev.peerbar.devices.ioat.IoatRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.SegmentMemory;
import dev.peerbar.driver.ioat.IoatChannel;
import dev.peerbar.driver.ioat.IoatDriver;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigLayout.PowerManagement;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A driver that writes whatever comes to its mind into descriptors, links and registers, takes
 * memory away while it is in use, and goes. The server does not stop, answers in time, touches
 * nothing that it was not given, and the next chain on a channel that was reset is carried out. For
 * {@code -Dfuzz.seconds} seconds, {@value #SECONDS} unless said.
 */
@Tag("polled")
@Timeout(value = 2, unit = TimeUnit.HOURS)
final class IoatFuzzTest {
  private static final int SECONDS = 10;
  private static final int CHANNELS = 3;
  private static final int ENTRIES = 16;
  private static final int LIFE_STEPS = 40;
  private static final int PAGE = (int) GuestMemory.PAGE;

  /** Descriptors and data, as long as a client is there. */
  private static final long RAM = 1L << 32;

  private static final long RAM_SIZE = 64L * PAGE;

  /** Memory that the device may only read. */
  private static final long READ_ONLY = 1L << 33;

  /** Memory that comes and goes, which the server maps. */
  private static final long LENT = 1L << 34;

  /** The same that the server asks for: a peer's BAR is such. */
  private static final long PEER = 1L << 40;

  private static final long LENT_SIZE = 16L * PAGE;

  /** Places of descriptors, few enough that chains meet themselves and each other. */
  private static final int SLOTS = 32;

  private static final long[] EDGES = {
    0,
    1,
    7,
    8,
    63,
    64,
    4095,
    4096,
    0xffff,
    1 << 20,
    1L << 31,
    1L << 32,
    1L << 63,
    -1,
    -64,
    -4096,
    READ_ONLY,
    RAM + RAM_SIZE,
    LENT,
    LENT + LENT_SIZE,
    PEER,
    PEER + LENT_SIZE
  };

  private static final int[] COMMANDS = {
    IoatRegisters.CHANCMD_START,
    IoatRegisters.CHANCMD_APPEND,
    IoatRegisters.CHANCMD_SUSPEND,
    IoatRegisters.CHANCMD_ABORT,
    IoatRegisters.CHANCMD_RESUME,
    IoatRegisters.CHANCMD_RESET
  };

  @TempDir private Path directory;
  private final long seed = Long.getLong("fuzz.seed", 1);
  private final Random random = new Random(seed);
  private final List<AutoCloseable> owned = new ArrayList<>();
  private EndpointServer server;
  private IoatDriver driver;
  private List<IoatChannel> channels;
  private GuestMemory ram;
  private GuestMemory readOnly;
  private Lent lent;
  private Lent peer;
  private long descriptors;
  private long generations;
  private long halted;

  /**
   * Memory that is the device's for a while, and lies between pages of its file that never are.
   * While it is not, nothing may change it.
   */
  private final class Lent {
    private final long iova;
    private final boolean byDescriptor;
    private final GuestMemory file;
    private MemorySegment around;
    private MemorySegment untouched;

    Lent(long iova, boolean byDescriptor) throws IOException {
      this.iova = iova;
      this.byDescriptor = byDescriptor;
      file = own(new GuestMemory("ioat-lent", LENT_SIZE + 2 * PAGE));
      around = poisoned(file.bytes());
    }

    private MemorySegment inside() {
      return file.bytes().asSlice(PAGE, LENT_SIZE);
    }

    private void checkAround() {
      for (long at : new long[] {0, PAGE + LENT_SIZE}) {
        assertThat(file.bytes().asSlice(at, PAGE).mismatch(around.asSlice(at, PAGE)))
            .as("what lies beside memory that was mapped")
            .isEqualTo(-1);
      }
    }

    /** It is nobody's: not any more, or not yet. */
    void gone() {
      checkAround();
      untouched = poisoned(inside());
    }

    /** It has been nobody's so far. */
    void checkUntouched() {
      assertThat(inside().mismatch(untouched)).as("memory that was not mapped").isEqualTo(-1);
    }

    void give() throws IOException {
      checkUntouched();
      untouched = null;
      if (!byDescriptor) {
        client().memory().put(iova, inside());
      }
      client()
          .dmaMap(
              DmaMap.READABLE | DmaMap.WRITEABLE,
              byDescriptor ? PAGE : 0,
              iova,
              LENT_SIZE,
              byDescriptor ? Optional.of(file.file()) : Optional.empty());
    }

    /** Requests that come after the reply are answered, and seen by what they change. */
    void take() throws IOException {
      client().dmaUnmap(iova, LENT_SIZE);
      gone();
    }

    void turn() throws IOException {
      if (untouched == null) {
        take();
      } else {
        give();
      }
    }
  }

  @Test
  void nothingHurtsIt() throws Exception {
    System.out.printf("I/OAT fuzz: -Dfuzz.seed=%d%n", seed);
    Path path = directory.resolve("fuzz.sock");
    server = Serving.start("ioat", new IoatEndpoint(new IoatConfig(CHANNELS)), path);
    try (ErrorLog errors = new ErrorLog()) {
      ram = own(new GuestMemory("ioat-ram", RAM_SIZE));
      readOnly = own(new GuestMemory("ioat-rom", PAGE)).randomise(1);
      final MemorySegment before = MemorySegment.ofArray(new byte[PAGE]).copyFrom(readOnly.bytes());
      lent = new Lent(LENT, true);
      peer = new Lent(PEER, false);
      connect(path);
      long open = OpenFiles.count();
      long end = System.nanoTime() + Long.getLong("fuzz.seconds", SECONDS) * 1_000_000_000L;
      while (System.nanoTime() < end) {
        generation();
        if (random.nextInt(8) == 0) {
          connect(path);
        }
      }
      connect(path);
      work();
      assertThat(readOnly.bytes().mismatch(before)).as("what it may only read").isEqualTo(-1);
      Wire.await("no descriptor is left", () -> OpenFiles.count() <= open);
      assertThat(errors.all()).as("errors that were logged").isEmpty();
    }
    System.out.printf(
        "I/OAT fuzz: %d descriptors in %d generations, %d channels halted by an error%n",
        descriptors, generations, halted);
  }

  @AfterEach
  void close() throws Exception {
    if (driver != null) {
      driver.device().close();
    }
    if (server != null) {
      server.close();
    }
    for (AutoCloseable one : owned) {
      one.close();
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.addFirst(resource);
    return resource;
  }

  private VfioUserClient client() {
    return ((SocketDevice) driver.device()).client();
  }

  /** A copy of what memory is filled with. */
  private MemorySegment poisoned(MemorySegment memory) {
    GuestMemory.randomise(memory, random.nextLong());
    return MemorySegment.ofArray(new byte[(int) memory.byteSize()]).copyFrom(memory);
  }

  /** The client goes, whatever is under way, and the next one comes. */
  private void connect(Path path) throws Exception {
    if (driver != null) {
      driver.device().close();
    }
    VfioUserClient client = VfioUserClient.connect(path);
    client.setTimeout(Wire.LIMIT);
    client.negotiate(Wire.capabilities());
    assertThat(server.holdings().dmaMappings()).as("what the last client gave").isZero();
    driver = IoatDriver.of(new SocketDevice(client));
    MemorySegment left = poisoned(ram.bytes());
    lent.gone();
    peer.gone();
    channels = new ArrayList<>();
    for (int index = 0; index < CHANNELS; index++) {
      channels.add(driver.channel(index, ENTRIES));
    }
    assertThat(ram.bytes().mismatch(left)).as("memory of the last client").isEqualTo(-1);
    client.dmaMap(DmaMap.READABLE | DmaMap.WRITEABLE, 0, RAM, RAM_SIZE, Optional.of(ram.file()));
    client.dmaMap(DmaMap.READABLE, 0, READ_ONLY, PAGE, Optional.of(readOnly.file()));
    lent.give();
    peer.give();
  }

  /** Once they are reset, channels do nothing by themselves, and then what they should. */
  private void work() throws Exception {
    driver.start();
    for (IoatChannel channel : channels) {
      channel.reset();
      channel.clearErrors();
    }
    MemorySegment left = poisoned(ram.bytes());
    for (IoatChannel channel : channels) {
      assertThat(channel.status()).as("CHANSTS").isEqualTo(ChannelState.HALTED.code());
    }
    assertThat(ram.bytes().mismatch(left)).as("memory, after resets").isEqualTo(-1);
    DmaRange data = DmaRange.of(new SegmentMemory(ram.bytes()), RAM);
    for (IoatChannel channel : channels) {
      channel.begin();
      DmaRange from = data.slice(0, RAM_SIZE / 2);
      DmaRange to = data.slice(RAM_SIZE / 2, RAM_SIZE / 2);
      GuestMemory.randomise(from.segment(), random.nextLong());
      channel.put(
          IoatDescriptor.COPY,
          IoatDescriptor.INTERRUPT,
          from.iova(),
          to.iova(),
          (int) from.length());
      channel.issue(1);
      assertThat(channel.vector().await(Wire.LIMIT)).as("interrupts").isEqualTo(1);
      assertThat(channel.awaitRest(Wire.LIMIT)).isEqualTo(ChannelState.DONE);
      assertThat(channel.errors()).isZero();
      assertThat(to.segment().mismatch(from.segment())).isEqualTo(-1);
    }
  }

  /** Garbage, until all is as it should be again. */
  private void generation() throws Exception {
    generations++;
    driver.start();
    for (IoatChannel channel : channels) {
      channel.begin();
    }
    for (int i = random.nextInt(LIFE_STEPS); i >= 0; i--) {
      step();
    }
    driver.config().memorySpace(true);
    for (IoatChannel channel : channels) {
      ChannelState state = channel.state();
      int errors = channel.errors();
      assertThat(errors & ChannelError.UNAFFILIATED.mask()).as("the endpoint has failed").isZero();
      halted += state == ChannelState.HALTED && errors != 0 ? 1 : 0;
    }
    switch (random.nextInt(4)) {
      case 0 -> driver.config().functionLevelReset();
      case 1 -> client().reset();
      case 2 -> {
        driver.config().powerState(PowerManagement.D3HOT);
        driver.config().powerState(PowerManagement.D0);
      }
      default -> {}
    }
    lent.checkAround();
    peer.checkAround();
    work();
  }

  private void step() throws IOException {
    IoatChannel channel = channels.get(random.nextInt(CHANNELS));
    switch (random.nextInt(20)) {
      case 0 -> writeAnything();
      case 1 -> readAnything();
      case 2 -> driver.config().busMaster(random.nextInt(4) > 0);
      case 3 -> driver.config().memorySpace(random.nextInt(4) > 0);
      case 4 -> channel.command(COMMANDS[random.nextInt(COMMANDS.length)]);
      case 5 -> channel.control(random.nextInt());
      case 6 -> channel.rearm();
      case 7 -> driver.writeLong(channel.register(IoatRegisters.CHANCMP), address());
      case 8 -> lent.turn();
      case 9 -> peer.turn();
      case 10 -> GuestMemory.randomise(descriptor(), random.nextLong());
      case 11, 12, 13 -> {
        channel.beginAt(random.nextInt(16) == 0 ? number() : slot());
        channel.issue(1 + random.nextInt(random.nextInt(4) == 0 ? 0xffff : 16));
      }
      case 14 -> channel.issue(random.nextInt(16));
      case 15 -> {
        if (random.nextInt(4) == 0) {
          driver.config().functionLevelReset();
          driver.start();
        }
      }
      default -> fill();
    }
  }

  private void writeAnything() throws IOException {
    long offset = anyRegister();
    int bytes = 1 << random.nextInt(4);
    byte[] value =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(number()).array();
    byte[] written = Arrays.copyOf(value, bytes);
    if (random.nextBoolean()) {
      client().regionWrite(IoatRegisters.BAR, offset, written);
    } else {
      client().regionWritePosted(IoatRegisters.BAR, offset, written);
    }
    if (random.nextInt(4) == 0) {
      int at = random.nextBoolean() ? IoatRegisters.DMAUNCERRSTS : IoatRegisters.CHANERR_INT;
      driver.device().writeConfig(at, AccessWidth.DWORD, number());
    }
  }

  private void readAnything() throws IOException {
    client().regionRead(IoatRegisters.BAR, anyRegister(), 1 << random.nextInt(4));
  }

  /** In the channels' registers, or a bit behind. */
  private long anyRegister() {
    long offset = random.nextLong(IoatRegisters.channel(CHANNELS + 1));
    return random.nextInt(3) == 0 ? offset : offset & -Integer.BYTES;
  }

  /** Some descriptors, linked to each other and to what is none. */
  private void fill() {
    for (int i = random.nextInt(8); i >= 0; i--) {
      descriptors++;
      MemorySegment at = descriptor();
      at.set(
          GuestMemory.INT,
          IoatDescriptor.SIZE,
          random.nextInt(8) == 0 ? (int) number() : 1 + random.nextInt(2 * PAGE));
      int operation =
          switch (random.nextInt(8)) {
            case 0 -> random.nextInt(256);
            case 1, 2 -> IoatDescriptor.FILL;
            default -> IoatDescriptor.COPY;
          };
      at.set(
          GuestMemory.INT,
          IoatDescriptor.CONTROL,
          operation << IoatDescriptor.OPERATION_SHIFT | random.nextInt(64));
      at.set(GuestMemory.LONG, IoatDescriptor.SOURCE, address());
      at.set(GuestMemory.LONG, IoatDescriptor.DESTINATION, address());
      at.set(GuestMemory.LONG, IoatDescriptor.NEXT, random.nextInt(16) == 0 ? number() : slot());
    }
  }

  /** One that may be fetched, as the driver sees it. */
  private MemorySegment descriptor() {
    MemorySegment memory =
        switch (random.nextInt(4)) {
          case 0 -> lent.untouched == null ? lent.inside() : ram.bytes();
          case 1 -> peer.untouched == null ? peer.inside() : ram.bytes();
          default -> ram.bytes();
        };
    return memory.asSlice(random.nextLong(SLOTS) * IoatDescriptor.BYTES, IoatDescriptor.BYTES);
  }

  /** Where one may be, as the device sees it. */
  private long slot() {
    long at = random.nextLong(SLOTS) * IoatDescriptor.BYTES;
    return switch (random.nextInt(4)) {
      case 0 -> LENT + at;
      case 1 -> PEER + at;
      default -> RAM + at;
    };
  }

  private long address() {
    return switch (random.nextInt(8)) {
      case 0 -> number();
      case 1, 2 -> LENT + random.nextLong(LENT_SIZE);
      case 3 -> PEER + random.nextLong(LENT_SIZE);
      case 4 -> READ_ONLY + random.nextLong(PAGE);
      default -> RAM + random.nextLong(RAM_SIZE);
    };
  }

  private long number() {
    return random.nextInt(4) == 0
        ? random.nextLong()
        : EDGES[random.nextInt(EDGES.length)] + random.nextInt(3) - 1;
  }
}
