package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyInt;
import static org.mockito.ArgumentMatchers.anyLong;
import static org.mockito.ArgumentMatchers.eq;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.inOrder;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.times;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.when;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.socket.FrameDecoder;
import dev.peerbar.protocol.socket.LentMessage;
import dev.peerbar.server.ServerOptions;
import dev.peerbar.server.dma.WaitingFiles;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.ReferenceCounted;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.mockito.ArgumentCaptor;
import org.mockito.InOrder;

/** The order of things in a session, with a mocked endpoint and no socket. */
final class SessionTest {
  private static final int CONFIG = 7;
  private static final long DOORBELL = 0x100;
  private static final long IOVA = 0x1000;
  private static final long COMMAND = 4;
  private static final int BUS_MASTER = 4;
  private static final int MEBIBYTE = 1 << 20;

  private final Endpoint endpoint = mock(Endpoint.class);
  private final List<ReferenceCounted> sent = new ArrayList<>();
  private final ClientSlot place = mock(ClientSlot.class);
  private EmbeddedChannel channel;
  private ServedFunction function;
  private int id;

  @BeforeEach
  void negotiate() throws Exception {
    when(endpoint.function())
        .thenReturn(
            PciFunction.builder()
                .identity(1, 2)
                .classCode(0x120000)
                .registers(0, 4096)
                .memory(2, MEBIBYTE)
                .build());
    when(place.take()).thenReturn(true);
    channel = new EmbeddedChannel();
    function =
        new ServedFunction("mock", endpoint, channel.eventLoop(), ServerOptions.DMA_MAPS, false);
    channel.pipeline().addLast(new FrameDecoder(), new Session(function, place));
    request(Command.VERSION, false, new Version.Request(0, 1, Capabilities.DEFAULTS));
    assertThat(reply().header().error()).isFalse();
  }

  @AfterEach
  void close() {
    channel.finishAndReleaseAll();
    sent.forEach(ReferenceCounted::release);
    function.close();
  }

  private void request(Command command, boolean noReply, Payload payload) {
    channel.writeInbound(
        Frame.request(
            ++id, command, noReply, payload, Descriptors.none(), ByteBufAllocator.DEFAULT));
  }

  private static RegionWrite.Request write(long offset, int value) {
    return new RegionWrite.Request(offset, 0, Unpooled.buffer().writeIntLE(value));
  }

  /** The next message that the session sent, or null. */
  private ReferenceCounted next() {
    ReferenceCounted message = channel.readOutbound();
    if (message != null) {
      sent.add(message);
    }
    return message;
  }

  private Frame reply() {
    Frame frame = (Frame) next();
    assertThat(frame).isNotNull();
    assertThat(frame.header().isReply()).isTrue();
    assertThat(frame.header().id()).isEqualTo(id);
    return frame;
  }

  /** Waits for the next message, which an engine brings about when its turn comes. */
  private ReferenceCounted awaitNext() {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (true) {
      channel.runPendingTasks();
      ReferenceCounted message = next();
      if (message != null) {
        return message;
      }
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  @Test
  void theReplyGoesBeforeTheTransferItSetOff() {
    ArgumentCaptor<Host> host = ArgumentCaptor.forClass(Host.class);
    verify(endpoint).start(host.capture());
    Engine engine = host.getValue().engine("engine");
    MemorySegment into = Arena.ofAuto().allocate(64);
    CountDownLatch running = new CountDownLatch(1);
    doAnswer(
            _ -> {
              engine.submit(job -> {
                running.countDown();
                try {
                  job.dma().read(IOVA, into);
                } catch (DmaFaultException _) {
                  // The connection ends before the reply.
                }
              });
              // However early the engine begins, its message waits for this thread.
              assertThat(running.await(20, TimeUnit.SECONDS)).isTrue();
              return null;
            })
        .when(endpoint)
        .write(anyInt(), eq(DOORBELL), any(), anyLong());
    request(
        Command.REGION_WRITE,
        false,
        new RegionWrite.Request(COMMAND, CONFIG, Unpooled.buffer().writeShortLE(BUS_MASTER)));
    reply();
    request(Command.DMA_MAP, false, new DmaMap.Request(DmaMap.READABLE, 0, IOVA, 4096));
    reply();
    request(Command.REGION_WRITE, false, write(DOORBELL, 1));
    reply();
    LentMessage read = (LentMessage) awaitNext();
    assertThat(Header.decode(read.head()).knownCommand()).contains(Command.DMA_READ);
    assertThat(read.head().getLongLE(Header.SIZE)).isEqualTo(IOVA);
    assertThat(next()).isNull();
  }

  /** Each is small, and all of them are not: a client must not have memory pile up. */
  @Test
  void repliesThatWaitForADiskAreOfFewBytes() throws Exception {
    try (Arena arena = Arena.ofShared()) {
      WaitingFiles files = WaitingFiles.install(function.bus(), arena.allocate(4096));
      try (FileDescriptor file = SharedMemory.create("disk", 4096)) {
        function.bus().table().map(IOVA, 4096, true, true, 0, Optional.of(file.duplicate()));
      }
      function.bus().enable(true);
      MemorySegment into = arena.allocate(64);
      function
          .engine("engine")
          .submit(job -> {
            try {
              job.dma().read(IOVA, into);
            } catch (DmaFaultException e) {
              throw new AssertionError(e);
            }
          });
      files.awaitBegun();
      // Less than 32 MiB in all, with their headers.
      for (int i = 0; i < 31; i++) {
        readAfterReset();
      }
      assertThat(channel.config().isAutoRead()).isTrue();
      readAfterReset();
      assertThat(channel.config().isAutoRead()).isFalse();
      assertThat(next()).isNull();
      files.letGo();
      for (int i = 0; i < 32; i++) {
        awaitNext();
      }
      assertThat(channel.config().isAutoRead()).isTrue();
    }
  }

  /** The reset is not replied to, so the reply to the read answers for it. */
  private void readAfterReset() {
    request(Command.DEVICE_RESET, true, new DeviceReset.Request());
    request(Command.REGION_READ, false, new RegionRead.Request(0, 2, MEBIBYTE));
  }

  @Test
  void aRequestWithoutReplyIsDoneInSilence() {
    request(Command.REGION_WRITE, true, write(8, 77));
    verify(endpoint).write(0, 8, AccessWidth.DWORD, 77);
    assertThat(next()).isNull();
  }

  @Test
  void aRefusedRequestWithoutReplyIsRefusedInSilence() {
    request(Command.REGION_WRITE, true, write(4096, 77));
    request(Command.VERSION, true, new Version.Request(0, 1, Capabilities.DEFAULTS));
    verify(endpoint, never()).write(anyInt(), anyLong(), any(), anyLong());
    assertThat(next()).isNull();
  }

  @Test
  void writesAreDoneInOrderAndReadsSeeThem() {
    when(endpoint.read(0, 8, AccessWidth.DWORD)).thenReturn(5L);
    request(Command.REGION_WRITE, true, write(8, 1));
    request(
        Command.REGION_WRITE_MULTI,
        true,
        new RegionWriteMulti.Request(
            List.of(
                new RegionWriteMulti.Write(8, 0, 4, 2), new RegionWriteMulti.Write(8, 0, 4, 3))));
    request(Command.REGION_READ, false, new RegionRead.Request(8, 0, 4));
    InOrder order = inOrder(endpoint);
    order.verify(endpoint).write(0, 8, AccessWidth.DWORD, 1);
    order.verify(endpoint).write(0, 8, AccessWidth.DWORD, 2);
    order.verify(endpoint).write(0, 8, AccessWidth.DWORD, 3);
    order.verify(endpoint).read(0, 8, AccessWidth.DWORD);
    assertThat(reply().payload().getIntLE(RegionRead.DATA)).isEqualTo(5);
  }

  @Test
  void aRequestThatFailsChangesNothingAndTheNextIsServed() {
    request(Command.REGION_READ, false, new RegionRead.Request(0, CONFIG, 5000));
    assertThat(reply().header().errno()).isEqualTo(Errno.EINVAL.code());
    request(Command.REGION_READ, false, new RegionRead.Request(0, CONFIG, 4));
    assertThat(reply().payload().getIntLE(RegionRead.DATA)).isEqualTo(0x0002_0001);
  }

  @Test
  void aResetIsDoneBeforeItsReply() {
    doAnswer(
            _ -> {
              assertThat(channel.<Frame>readOutbound()).isNull();
              return null;
            })
        .when(endpoint)
        .reset(ResetKind.BUS_OR_DEVICE);
    request(Command.DEVICE_RESET, false, new DeviceReset.Request());
    verify(endpoint).reset(ResetKind.BUS_OR_DEVICE);
    assertThat(reply().header().error()).isFalse();
  }

  @Test
  void theEndOfTheConnectionGivesThePlaceBackOnce() {
    verify(place, never()).leave();
    channel.close();
    verify(place).leave();
  }

  @Test
  void aSessionWithoutThePlaceIsTurnedAwayAndTakesNothingFromTheClient() {
    when(place.take()).thenReturn(false);
    EmbeddedChannel second = new EmbeddedChannel(new FrameDecoder(), new Session(function, place));
    second.writeInbound(
        Frame.request(
            1,
            Command.VERSION,
            false,
            new Version.Request(0, 1, Capabilities.DEFAULTS),
            Descriptors.none(),
            ByteBufAllocator.DEFAULT));
    Frame refusal = second.readOutbound();
    sent.add(refusal);
    assertThat(Errno.of(refusal.header().errno())).contains(Errno.EBUSY);
    assertThat(second.isOpen()).isFalse();
    verify(place, never()).leave();
    verify(place, times(2)).take();
  }

  @Test
  void aConnectionThatAgreesOnNothingIsHungUpOn() {
    EmbeddedChannel silent = new EmbeddedChannel(new FrameDecoder(), new Session(function, place));
    silent.advanceTimeBy(Session.NEGOTIATION_SECONDS - 1, TimeUnit.SECONDS);
    silent.runScheduledPendingTasks();
    assertThat(silent.isOpen()).isTrue();
    silent.advanceTimeBy(2, TimeUnit.SECONDS);
    silent.runScheduledPendingTasks();
    assertThat(silent.isOpen()).isFalse();
    verify(place, never()).leave();
  }

  @Test
  void aClientMayBeSilentForLong() {
    channel.advanceTimeBy(2 * Session.NEGOTIATION_SECONDS, TimeUnit.SECONDS);
    channel.runScheduledPendingTasks();
    assertThat(channel.isOpen()).isTrue();
  }
}
