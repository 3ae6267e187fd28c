package dev.peerbar.devices.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Picture;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.virtio.VirtioHost;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** A device, client memory, and a driver that sends one command after another. */
final class GpuFixture {
  static final long ALL = GpuDevice.F_EDID | GpuDevice.F_RESOURCE_UUID | GpuDevice.F_RESOURCE_BLOB;
  static final long RAM = 0x1_0000_0000L;
  static final int ROOM = 1056;

  final GpuDevice device;
  final FakeHost host;
  final MemorySegment ram;

  /** Requests that were given back, in order. */
  final List<FakeRequest> completed = new ArrayList<>();

  int configurationChanges;
  int requestFaults;
  private final Carrier carrier;

  GpuFixture(GpuConfig config) {
    this(config, GpuLimits.DEFAULT);
  }

  GpuFixture(GpuConfig config, GpuLimits limits) {
    device = new GpuDevice(config, limits);
    carrier = new Carrier();
    host = new FakeHost(carrier);
    ram = host.map(RAM, 16 << 20);
    device.driverReady(ALL);
  }

  /** A transport with no rings: requests come from the test. */
  private final class Carrier implements Endpoint, VirtioHost {
    private final PciFunction function =
        PciFunction.builder().identity(0x1af4, 0x1050).classCode(0x038000).build();
    private Host host;
    private Engine engine;

    @Override
    public PciFunction function() {
      return function;
    }

    @Override
    public void start(Host newHost) {
      host = newHost;
      engine = newHost.engine("gpu");
      device.start(this);
    }

    @Override
    public long read(int bar, long offset, AccessWidth width) {
      return 0;
    }

    @Override
    public void write(int bar, long offset, AccessWidth width, long value) {}

    @Override
    public void reset(ResetKind kind) {
      device.reset();
    }

    @Override
    public void configurationChanged() {
      configurationChanges++;
    }

    @Override
    public Engine engine(int queue) {
      return engine;
    }

    @Override
    public Timer timer(Runnable action, Consumer<Throwable> failed) {
      return host.timer(action, failed);
    }
  }

  // What a driver does.

  /** A command's bytes, all zero but its type. */
  static Command command(CommandType type) {
    return new Command(type.code(), type.bytes());
  }

  /** Bytes that a test lays out. */
  static final class Command {
    private final ByteBuffer bytes;

    Command(int type, int length) {
      bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
      bytes.putInt(0, type);
    }

    Command word(int offset, int value) {
      bytes.putInt(offset, value);
      return this;
    }

    Command doubleWord(int offset, long value) {
      bytes.putLong(offset, value);
      return this;
    }

    Command rectangle(int x, int y, int width, int height) {
      return word(24, x).word(28, y).word(32, width).word(36, height);
    }

    Command fence(long id) {
      return word(4, Header.FLAG_FENCE).doubleWord(8, id);
    }

    /** Entries behind it: an address and a length each. */
    Command entries(long... pairs) {
      ByteBuffer more = ByteBuffer.allocate(pairs.length * 8).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < pairs.length; i += 2) {
        more.putLong(pairs[i]).putInt((int) pairs[i + 1]).putInt(0);
      }
      Command longer = new Command(bytes.getInt(0), bytes.capacity() + more.capacity());
      longer.bytes.put(0, bytes.array()).put(bytes.capacity(), more.array());
      return longer;
    }

    byte[] bytes() {
      return bytes.array();
    }
  }

  FakeRequest queue(int queue, FakeRequest request) {
    carrier.engine.submit(job -> {
      try {
        device.handle(queue, request, job);
      } catch (DmaFaultException _) {
        requestFaults++;
      }
    });
    return request;
  }

  FakeRequest request(byte[] bytes, int room) {
    return new FakeRequest(bytes, room, completed);
  }

  /** Has a command carried out, whether or not it is answered by then. */
  FakeRequest send(Command command) {
    int type = ByteBuffer.wrap(command.bytes()).order(ByteOrder.LITTLE_ENDIAN).getInt(0);
    int queue = type >= 0x300 ? GpuDevice.CURSOR_QUEUE : GpuDevice.CONTROL_QUEUE;
    FakeRequest request = queue(queue, request(command.bytes(), ROOM));
    host.settle();
    return request;
  }

  void expect(Command command, ResponseType answer) {
    FakeRequest request = send(command);
    assertThat(request.done()).isTrue();
    assertThat(request.readBeyond()).isFalse();
    assertThat(request.type()).as("%s", answer).isEqualTo(answer.code());
  }

  void ok(Command command) {
    expect(command, ResponseType.OK_NODATA);
  }

  static Command create(int id, Format format, int width, int height) {
    return command(CommandType.RESOURCE_CREATE_2D)
        .word(24, id)
        .word(28, format.code())
        .word(32, width)
        .word(36, height);
  }

  static Command createBlob(int id, long size, long... entries) {
    return command(CommandType.RESOURCE_CREATE_BLOB)
        .word(24, id)
        .word(28, 1)
        .word(36, entries.length / 2)
        .doubleWord(48, size)
        .entries(entries);
  }

  static Command attach(int id, long... entries) {
    return command(CommandType.RESOURCE_ATTACH_BACKING)
        .word(24, id)
        .word(28, entries.length / 2)
        .entries(entries);
  }

  static Command detach(int id) {
    return command(CommandType.RESOURCE_DETACH_BACKING).word(24, id);
  }

  static Command unref(int id) {
    return command(CommandType.RESOURCE_UNREF).word(24, id);
  }

  static Command setScanout(int output, int id, int x, int y, int width, int height) {
    return command(CommandType.SET_SCANOUT)
        .rectangle(x, y, width, height)
        .word(40, output)
        .word(44, id);
  }

  /** The whole framebuffer; a rectangle is the caller's to change. */
  static Command setScanoutBlob(
      int output, int id, int width, int height, Format format, int stride, int offset) {
    return command(CommandType.SET_SCANOUT_BLOB)
        .rectangle(0, 0, width, height)
        .word(40, output)
        .word(44, id)
        .word(48, width)
        .word(52, height)
        .word(56, format.code())
        .word(64, stride)
        .word(80, offset);
  }

  static Command flush(int id, int x, int y, int width, int height) {
    return command(CommandType.RESOURCE_FLUSH).rectangle(x, y, width, height).word(40, id);
  }

  static Command transfer(int id, long offset, int x, int y, int width, int height) {
    return command(CommandType.TRANSFER_TO_HOST_2D)
        .rectangle(x, y, width, height)
        .doubleWord(40, offset)
        .word(48, id);
  }

  static Command updateCursor(int output, int x, int y, int id) {
    return command(CommandType.UPDATE_CURSOR).word(24, output).word(28, x).word(32, y).word(40, id);
  }

  static Command moveCursor(int output, int x, int y) {
    return command(CommandType.MOVE_CURSOR).word(24, output).word(28, x).word(32, y);
  }

  // Client memory.

  /** Stores a pixel as the bytes that its format has, the first in the lowest 8 bits. */
  void pixel(long offset, int word) {
    ram.set(Fields.INT, offset, word);
  }

  Picture picture(int output) {
    return device.screenshot(output).orElseThrow();
  }
}
