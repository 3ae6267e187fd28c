package dev.peerbar.server.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.StallWatch;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Many clients at once that send messages, some of them damaged, and go in the middle of things,
 * while another endpoint of the same process does its work.
 */
@Timeout(240)
final class NoiseTest {
  private static final int CLIENTS = 6;
  private static final long NANOS = 5_000_000_000L;
  private static final long SIZE = 1 << 20;
  private static final long IOVA = 1L << 32;
  private static final Duration PATIENCE = Duration.ofMillis(200);

  @TempDir private Path directory;

  @Test
  void anEndpointWorksWhileAnotherHearsNoise() throws Exception {
    try (Wire noisy = Wire.unconnected(directory);
        Wire quiet = Wire.connected(Files.createDirectory(directory.resolve("quiet")))) {
      noisy.connect().close();
      Wire.await("its end", () -> noisy.server().function().bus().table().size() == 0);
      HbmChannel channel = quiet.channel(0);
      GuestMemory memory = quiet.memory(2 * SIZE);
      quiet.client().dmaMap(Wire.READ_WRITE, 0, IOVA, 2 * SIZE, Optional.of(memory.file()));
      long open = OpenFiles.count();
      List<Noise> noises = new ArrayList<>();
      long copies;
      try (ExecutorService threads = Executors.newFixedThreadPool(CLIENTS);
          StallWatch watch = new StallWatch(quiet.client())) {
        long deadline = System.nanoTime() + NANOS;
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
          Noise noise = new Noise(noisy.path(), i);
          noises.add(noise);
          running.add(threads.submit(() -> noise.make(deadline)));
        }
        copies = work(channel, memory, deadline);
        for (Future<?> one : running) {
          one.get();
        }
        System.out.printf(
            "noise: %d connections, %d messages of which %d damaged, %d replies; the other"
                + " endpoint: %d copies of 1 MiB, %d register reads, the longest %d us%n",
            noises.stream().mapToLong(noise -> noise.connections).sum(),
            noises.stream().mapToLong(noise -> noise.messages).sum(),
            noises.stream().mapToLong(noise -> noise.damaged).sum(),
            noises.stream().mapToLong(noise -> noise.replies.get()).sum(),
            copies,
            watch.reads(),
            watch.longestMicros());
      }
      noises.forEach(Noise::close);
      try (VfioUserClient next = noisy.connect()) {
        assertThat(next.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
        assertThat(noisy.server().function().bus().table().size()).isZero();
      }
      Wire.await("everything closed", () -> OpenFiles.count() <= open);
    }
  }

  /** Copies random data to and fro and sees that they arrive. */
  private static long work(HbmChannel channel, GuestMemory memory, long deadline) throws Exception {
    long copies = 0;
    while (System.nanoTime() < deadline) {
      GuestMemory.randomise(memory.bytes().asSlice(0, SIZE), copies);
      channel.submit(
          Descriptor.copy(SIZE).from(IOVA).toLocal(0),
          Descriptor.copy(SIZE).fromLocal(0).to(IOVA + SIZE).interrupt());
      channel.awaitInterrupt();
      Wire.idle(channel);
      assertThat(memory.bytes().asSlice(0, SIZE).mismatch(memory.bytes().asSlice(SIZE, SIZE)))
          .isEqualTo(-1);
      copies += 2;
    }
    return copies;
  }

  /** One client after the other, none of which behaves. */
  private static final class Noise {
    private final Path path;
    private final Random random;
    private final FuzzDescriptors descriptors;
    private final List<byte[]> good = new ArrayList<>();
    private final AtomicLong replies = new AtomicLong();
    private long connections;
    private long messages;
    private long damaged;

    Noise(Path path, int seed) throws IOException {
      this.path = path;
      random = new Random(seed);
      descriptors = new FuzzDescriptors(Files.createTempDirectory(path.getParent(), "noise"));
      good.addAll(FuzzCorpus.messages());
    }

    Void make(long deadline) throws IOException {
      // However slow the machine is, until somebody has listened.
      while (System.nanoTime() < deadline || replies.get() == 0) {
        try (MessageSocket socket = connect()) {
          converse(socket);
        } catch (LinuxException e) {
          // Hung up on, for damage or for being one client too many.
          assertThat(e.errno()).isIn(Errno.EPIPE, Errno.ECONNRESET, Errno.EAGAIN);
        } catch (EOFException | SocketTimeoutException e) {
          // The same, or nothing more is due.
        }
        descriptors.forget();
      }
      return null;
    }

    private MessageSocket connect() throws IOException {
      FileDescriptor socket = UnixSocket.connect(path, Wire.LIMIT);
      connections++;
      MessageSocket messageSocket = new MessageSocket(socket);
      if (random.nextInt(8) != 0) {
        ByteBuf version = Wire.bytes(new Version.Request(0, 1, Wire.capabilities()));
        messageSocket.send(
            Wire.message(0, Command.VERSION.code(), 0, version), List.of(), Wire.LIMIT);
      }
      return messageSocket;
    }

    private void converse(MessageSocket socket) throws IOException {
      for (int i = random.nextInt(40); i >= 0; i--) {
        byte[] message = good.get(random.nextInt(good.size())).clone();
        if (random.nextInt(3) == 0) {
          damage(message);
        }
        messages++;
        int length = message.length;
        boolean cut = i == 0 && random.nextBoolean();
        if (cut) {
          length = random.nextInt(1, length);
        }
        socket.send(Unpooled.wrappedBuffer(message, 0, length), some(), PATIENCE);
      }
      switch (random.nextInt(4)) {
        case 0 -> {
          UnixSocket.shutdown(socket.socket(), UnixSocket.Direction.WRITE);
          drain(socket);
        }
        case 1, 2 -> drain(socket);
        default -> {}
      }
    }

    private void drain(MessageSocket socket) throws IOException {
      for (int i = random.nextInt(20); i > 0; i--) {
        socket.receive(PATIENCE).release();
        replies.incrementAndGet();
      }
    }

    private void damage(byte[] message) {
      damaged++;
      for (int i = random.nextInt(1, 4); i > 0; i--) {
        // Seldom the size: that ends the conversation.
        int place = random.nextInt(message.length);
        if (place < 4 || place >= 8 || random.nextInt(20) == 0) {
          message[place] = (byte) (random.nextBoolean() ? random.nextInt() : 0xff);
        }
      }
      assertThat(message.length).isGreaterThanOrEqualTo(Header.SIZE);
    }

    private List<FileDescriptor> some() throws IOException {
      List<FileDescriptor> all = new ArrayList<>();
      if (random.nextInt(3) == 0) {
        FuzzScript.Kind[] kinds = FuzzScript.Kind.values();
        for (int i = random.nextInt(random.nextInt(50) == 0 ? 253 : 4); i >= 0; i--) {
          all.add(descriptors.get(kinds[random.nextInt(kinds.length)]));
        }
      }
      return all;
    }

    void close() {
      descriptors.close();
    }
  }
}
