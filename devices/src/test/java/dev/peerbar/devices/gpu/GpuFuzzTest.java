package dev.peerbar.devices.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.peerbar.pci.ResetKind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** A driver that means no good: every request is answered, and memory stays bounded. */
class GpuFuzzTest {
  private static final GpuLimits LIMITS = new GpuLimits(16, 1 << 20, 64);
  private static final int COMMANDS = 20_000;

  /** Numbers at which something may go around or be off by one. */
  private static final int[] EDGES = {
    0,
    1,
    2,
    3,
    4,
    15,
    16,
    63,
    64,
    65,
    128,
    256,
    4096,
    16383,
    16384,
    16385,
    65535,
    65536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff
  };

  private final Logger log = (Logger) LoggerFactory.getLogger(Commands.class);
  private final ListAppender<ILoggingEvent> mistakes = new ListAppender<>();

  @BeforeEach
  void listen() {
    mistakes.start();
    log.addAppender(mistakes);
  }

  @AfterEach
  void stopListening() {
    log.detachAppender(mistakes);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void everyRequestIsAnsweredAndMemoryIsBounded(long seed) {
    Random random = new Random(seed);
    GpuFixture gpu = new GpuFixture(new GpuConfig(3, new DisplaySize(64, 64)), LIMITS);
    int answered = 0;
    for (int i = 0; i < COMMANDS; i++) {
      FakeRequest request = request(gpu, random);
      gpu.queue(random.nextInt(2), request);
      gpu.host.settle();
      assertThat(request.done()).as("command %d", i).isTrue();
      assertThat(request.readBeyond()).as("command %d", i).isFalse();
      assertThat(gpu.device.hostBytes()).isBetween(0L, LIMITS.hostBytes());
      for (int output = 0; output < 3; output++) {
        gpu.device.screenshot(output);
      }
      if (request.written() >= 4 && request.type() < ResponseType.ERR_UNSPEC.code()) {
        answered++;
      }
      if (random.nextInt(2000) == 0) {
        gpu.host.reset(ResetKind.FUNCTION_LEVEL);
        gpu.device.driverReady(GpuFixture.ALL);
        assertThat(gpu.device.hostBytes()).isZero();
      }
    }
    // No test of nothing but refusals.
    assertThat(answered).isGreaterThan(COMMANDS / 50);
    // What a driver does wrong is no mistake of the device's, which would have been logged.
    assertThat(mistakes.list).isEmpty();
    assertThat(gpu.host.journal()).noneMatch(line -> line.startsWith("threw"));
  }

  private static FakeRequest request(GpuFixture gpu, Random random) {
    int room = random.nextInt(8) == 0 ? random.nextInt(64) : GpuFixture.ROOM;
    if (random.nextInt(20) == 0) {
      byte[] noise = new byte[random.nextInt(200)];
      random.nextBytes(noise);
      return gpu.request(noise, room);
    }
    CommandType[] types = CommandType.values();
    CommandType type = types[random.nextInt(types.length)];
    int entries = random.nextInt(6);
    ByteBuffer bytes =
        ByteBuffer.allocate(type.bytes() + entries * 16).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putInt(0, type.code());
    for (int at = Header.BYTES; at < bytes.capacity(); at += 4) {
      bytes.putInt(at, number(random));
    }
    plausible(type, bytes, entries, random);
    return gpu.request(bytes.array(), room);
  }

  private static int number(Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> EDGES[random.nextInt(EDGES.length)];
      case 1 -> random.nextInt();
      default -> random.nextInt(70);
    };
  }

  /** Makes some of them such that they may succeed. */
  private static void plausible(CommandType type, ByteBuffer bytes, int entries, Random random) {
    if (random.nextInt(3) == 0) {
      return;
    }
    switch (type) {
      case RESOURCE_CREATE_2D ->
          bytes.putInt(24, random.nextInt(8)).putInt(28, 1 + random.nextInt(4));
      case RESOURCE_CREATE_BLOB ->
          bytes
              .putInt(24, random.nextInt(8))
              .putInt(28, 1)
              .putInt(32, 0)
              .putInt(36, entries)
              .putLong(48, 1 + random.nextInt(20_000));
      case RESOURCE_ATTACH_BACKING -> bytes.putInt(24, random.nextInt(8)).putInt(28, entries);
      case SET_SCANOUT, SET_SCANOUT_BLOB ->
          bytes.putInt(40, random.nextInt(3)).putInt(44, random.nextInt(8));
      case RESOURCE_FLUSH -> bytes.putInt(40, random.nextInt(8));
      case TRANSFER_TO_HOST_2D -> bytes.putInt(48, random.nextInt(8)).putInt(44, 0);
      case UPDATE_CURSOR -> bytes.putInt(24, random.nextInt(3)).putInt(40, random.nextInt(8));
      case GET_DISPLAY_INFO -> {}
      default -> bytes.putInt(24, random.nextInt(8));
    }
    if (type == CommandType.SET_SCANOUT_BLOB) {
      bytes.putInt(56, 1 + random.nextInt(4)).putInt(64, 4 * random.nextInt(80)).putInt(80, 0);
    }
    for (int entry = 0; entry < entries; entry++) {
      bytes.putLong(type.bytes() + entry * 16, address(random));
      bytes.putInt(type.bytes() + entry * 16 + 8, random.nextInt(20_000));
    }
  }

  /** Some of them nobody has mapped. */
  private static long address(Random random) {
    return random.nextInt(8) == 0 ? random.nextLong() : GpuFixture.RAM + random.nextInt(1 << 20);
  }
}
