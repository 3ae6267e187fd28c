package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.MemoryFiles;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.ProcessFacts;
import dev.peerbar.server.fixture.ServedProgram;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Very many clients, most of whom end badly, and more than there are descriptors for. */
@Timeout(300)
final class ConnectionsTest {
  private static final int WARM_UP = 1_000;
  private static final int CONNECTIONS = 10_000;
  private static final long MOST_GROWTH_KIB = 64 << 10;
  private static final long IOVA = 1 << 20;

  /** Of one message, as the server says. */
  private static final int MOST_DESCRIPTORS = 16;

  /** Of the program's only endpoint. */
  private static final String FUNCTION_THREADS = "hbm0";

  @TempDir private Path directory;

  @Test
  void tenThousandConnectionsLeaveNothing() throws Exception {
    try (Wire wire = Wire.unconnected(directory);
        GuestMemory memory = new GuestMemory("connections", 16 * GuestMemory.PAGE);
        FileDescriptor unsealed = MemoryFiles.unsealed(16 * GuestMemory.PAGE);
        FileDescriptor event = EventDescriptor.create()) {
      Visitor visitor = new Visitor(wire.path(), memory.file(), unsealed, event);
      visit(visitor, 0, WARM_UP);
      wire.connect().close();
      ProcessFacts before = ProcessFacts.settled();
      visit(visitor, WARM_UP, CONNECTIONS);
      wire.connect().close();
      Wire.await("all descriptors closed", () -> OpenFiles.count() <= before.descriptors());
      ProcessFacts after = ProcessFacts.settled();
      System.out.printf(
          "%d connections after %d: before %s; after %s%n", CONNECTIONS, WARM_UP, before, after);
      assertThat(after.descriptors()).isEqualTo(before.descriptors());
      assertThat(after.threads()).isLessThanOrEqualTo(before.threads() + 2);
      assertThat(after.resident() - before.resident()).isLessThan(MOST_GROWTH_KIB);
      assertThat(after.heap() - before.heap()).isLessThan(MOST_GROWTH_KIB);
      assertThat(OpenFiles.mappings("connections")).as("the test's own mapping").isOne();
    }
  }

  private static void visit(Visitor visitor, int from, int count) throws IOException {
    for (int i = from; i < from + count; i++) {
      visitor.visit(i % Visitor.KINDS);
    }
  }

  /** Comes, does something, and goes without a word, never waiting for more than it must. */
  private record Visitor(
      Path path, FileDescriptor memory, FileDescriptor unsealed, FileDescriptor event) {
    static final int KINDS = 10;

    void visit(int kind) throws IOException {
      try (MessageSocket socket = new MessageSocket(UnixSocket.connect(path, Wire.LIMIT))) {
        try {
          if (kind > 0) {
            send(socket, Command.VERSION, new Version.Request(0, 1, Wire.capabilities()));
          }
          act(kind, socket);
        } catch (LinuxException e) {
          // The last visitor's end is not known yet, or this one was hung up on.
          assertThat(e.errno()).isIn(Errno.EPIPE, Errno.ECONNRESET);
        }
      }
    }

    private void act(int kind, MessageSocket socket) throws IOException {
      switch (kind) {
        case 0 -> {}
        case 1 -> send(socket, Command.REGION_READ, new RegionRead.Request(0, 0, 4));
        case 2 -> map(socket);
        case 3 -> interrupts(socket);
        case 4 -> cut(socket, Header.SIZE - 3);
        case 5 -> cut(socket, Header.SIZE + 9);
        case 6 -> {
          map(socket);
          for (int i = 0; i < 4; i++) {
            send(socket, Command.REGION_READ, new RegionRead.Request(0, Wire.MEMORY, 1 << 20));
          }
        }
        case 7 ->
            socket.send(Unpooled.buffer().writeZero(Header.SIZE), List.of(memory), Wire.LIMIT);
        case 8 -> {
          map(socket);
          interrupts(socket);
          socket.receive(Wire.LIMIT).release();
        }
        default -> largeWrite(socket);
      }
    }

    private void map(MessageSocket socket) throws IOException {
      long size = 16 * GuestMemory.PAGE;
      send(socket, Command.DMA_MAP, new DmaMap.Request(3, 0, IOVA, size), memory);
      send(socket, Command.DMA_MAP, new DmaMap.Request(3, 0, 2 * IOVA, size), unsealed);
      send(socket, Command.DMA_MAP, new DmaMap.Request(3, 0, 3 * IOVA, size));
    }

    private void interrupts(MessageSocket socket) throws IOException {
      send(
          socket,
          Command.DEVICE_SET_IRQS,
          new DeviceSetIrqs.Request(
              DeviceSetIrqs.DATA_EVENTFD | DeviceSetIrqs.ACTION_TRIGGER,
              PciIrq.MSIX,
              0,
              3,
              Unpooled.EMPTY_BUFFER),
          event,
          event,
          event);
    }

    private void cut(MessageSocket socket, int length) throws IOException {
      ByteBuf message =
          Wire.message(
              1, Command.DMA_MAP.code(), 0, Wire.bytes(new DmaMap.Request(3, 0, IOVA, 4096)));
      socket.send(message.slice(0, length), List.of(memory, event), Wire.LIMIT);
    }

    private void largeWrite(MessageSocket socket) throws IOException {
      ByteBuf message =
          Wire.message(
              1,
              Command.REGION_WRITE.code(),
              0,
              Wire.bytes(
                  new RegionWrite.Request(
                      0, Wire.MEMORY, Unpooled.wrappedBuffer(new byte[1 << 20]))));
      socket.send(message.slice(0, 100_000), List.of(event), Wire.LIMIT);
    }

    private void send(
        MessageSocket socket, Command command, Payload payload, FileDescriptor... descriptors)
        throws IOException {
      socket.send(
          Wire.message(1, command.code(), 0, Wire.bytes(payload)),
          List.of(descriptors),
          Wire.LIMIT);
    }
  }

  @Test
  void aProcessOutOfDescriptorsServesOnAndWaits() throws Exception {
    final int descriptors = 100;
    try (ServedProgram program = new ServedProgram(directory, descriptors)) {
      try {
        outOfDescriptors(program);
      } catch (IOException e) {
        throw new AssertionError(program.log(), e);
      }
      program.lives();
    }
  }

  private static void outOfDescriptors(ServedProgram program) throws Exception {
    try (VfioUserClient client = program.connect()) {
      // A class that is loaded from a folder wants a descriptor: all that is done is done before.
      client.dmaUnmap(0, 1L << 40);
      refused(program);
      int mapped = mapUntilRefused(client, Errno.EMFILE);
      assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
      refused(program);
      // What came with a message that is not whole is held until it is.
      List<MessageSocket> queue = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        queue.add(new MessageSocket(UnixSocket.connect(program.socket(), Wire.LIMIT)));
        sendPart(queue.getLast(), 0, Header.SIZE, MOST_DESCRIPTORS);
      }
      long ticks = ProcessFacts.ticks(program.pid(), FUNCTION_THREADS);
      long begin = System.nanoTime();
      LockSupport.parkNanos(Duration.ofSeconds(2).toNanos());
      long busy = ProcessFacts.ticks(program.pid(), FUNCTION_THREADS) - ticks;
      System.out.printf(
          "out of descriptors: %d files mapped, %d ms of processor time in %d ms, %d lines%n",
          mapped, 10 * busy, (System.nanoTime() - begin) / 1_000_000, program.loggedLines());
      assertThat(busy).as("hundredths of a second").isLessThan(120);
      // Once for each time that it begins: twenty times it was tried.
      assertThat(program.log().lines().filter(line -> line.contains("no connection is accepted")))
          .hasSizeBetween(1, 4);
      assertThat(program.log()).as("stack traces").doesNotContain("\tat ");
      queue.forEach(MessageSocket::close);
    }
  }

  /** Sends a part of a message, with so many descriptors. */
  private static void sendPart(MessageSocket socket, int from, int length, int descriptors)
      throws IOException {
    ByteBuf message =
        Wire.message(1, Command.REGION_READ.code(), 0, Unpooled.buffer().writeZero(16));
    try (FileDescriptor event = EventDescriptor.create()) {
      socket.send(message.slice(from, length), Collections.nCopies(descriptors, event), Wire.LIMIT);
    }
  }

  @Test
  void messagesThatAreNotWholeKeepAsManyDescriptorsAsWereAgreed() throws Exception {
    final int connections = 40;
    final int each = 60;
    try (Wire wire = Wire.connected(directory)) {
      wire.works();
      List<MessageSocket> all = new ArrayList<>();
      long open = OpenFiles.count();
      try {
        for (int i = 0; i < connections; i++) {
          MessageSocket socket = new MessageSocket(UnixSocket.connect(wire.path(), Wire.LIMIT));
          all.add(socket);
          sendPart(socket, 0, Header.SIZE, each);
          for (int at = Header.SIZE; at < Header.SIZE + 8; at++) {
            sendPart(socket, at, 1, each);
          }
        }
        Wire.await(
            "all received",
            () -> OpenFiles.count() >= open + connections * (2L + MOST_DESCRIPTORS));
        long most = 0;
        for (MessageSocket socket : all) {
          most = Math.max(most, OpenFiles.count() - open - 2 * connections);
          sendPart(socket, Header.SIZE + 8, 8, 0);
          Frame refusal = socket.receive(Wire.LIMIT);
          assertThat(Errno.of(refusal.header().errno())).contains(Errno.EMFILE);
          refusal.release();
        }
        System.out.printf(
            "%d connections with a message that is not whole, %d descriptors each: %d kept%n",
            connections, 9 * each, most);
        // Whoever receives more has as many again in hand, until he has closed them.
        assertThat(most).isLessThanOrEqualTo(2L * connections * MOST_DESCRIPTORS);
        assertThat(OpenFiles.count()).isEqualTo(open + 2 * connections);
      } finally {
        all.forEach(MessageSocket::close);
      }
      Wire.await("all closed", () -> OpenFiles.count() <= open);
    }
  }

  private static void refused(ServedProgram program) throws IOException {
    try (VfioUserClient second = VfioUserClient.connect(program.socket())) {
      assertThatThrownBy(() -> second.negotiate(Wire.capabilities()))
          .isInstanceOfSatisfying(
              RemoteErrorException.class,
              refusal -> assertThat(refusal.errno()).isEqualTo(Errno.EBUSY));
    }
  }

  @Test
  void aClientMayHaveAThousandFilesAndNoMore() throws Exception {
    try (Wire wire = Wire.connected(directory)) {
      int mapped = mapUntilRefused(wire.client(), Errno.ENOSPC);
      assertThat(mapped).isEqualTo(1024);
      wire.client().dmaUnmap(0, 1L << 40);
      assertThat(mapUntilRefused(wire.client(), Errno.ENOSPC)).isEqualTo(1024);
    }
  }

  /** Maps one file after the other, each of its own. Returns how many. */
  private static int mapUntilRefused(VfioUserClient client, Errno errno) throws IOException {
    for (int i = 0; ; i++) {
      try (FileDescriptor file = MemoryFiles.unsealed(GuestMemory.PAGE)) {
        client.dmaMap(
            Wire.READ_WRITE, 0, IOVA + i * GuestMemory.PAGE, GuestMemory.PAGE, Optional.of(file));
      } catch (RemoteErrorException e) {
        assertThat(e.errno()).isEqualTo(errno);
        return i;
      }
    }
  }
}
