package dev.peerbar.protocol.socket;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.client.MessageSocket;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.EOFException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(300)
class SocketEventLoopTest {
  private final EventLoopGroup group = SocketEventLoop.group(new DefaultThreadFactory("loop"));
  private final SocketEventLoop loop = (SocketEventLoop) group.next();
  // Changed by whoever has the loop's lock, and by nobody else.
  private int entries;

  @AfterEach
  void itEnds() throws InterruptedException {
    assertThat(group.shutdownGracefully(0, 10, TimeUnit.SECONDS).await(20, TimeUnit.SECONDS))
        .isTrue();
  }

  @Test
  void oneHasTheTurnAtATime() throws Exception {
    int each = 20_000;
    CountDownLatch done = new CountDownLatch(each);
    Thread[] receivers = new Thread[2];
    for (int i = 0; i < receivers.length; i++) {
      receivers[i] =
          Thread.ofPlatform()
              .start(() -> {
                for (int count = 0; count < each; count++) {
                  loop.enter();
                  entries++;
                  loop.leave();
                }
              });
    }
    for (int task = 0; task < each; task++) {
      loop.execute(() -> {
        entries++;
        done.countDown();
      });
    }
    for (Thread receiver : receivers) {
      receiver.join();
    }
    done.await();
    assertThat(loop.submit(() -> entries).get()).isEqualTo(3 * each);
  }

  @Test
  void whatTheLoopWasGivenBeforeAVisitIsDoneByThen() throws Exception {
    for (int round = 1; round <= 2_000; round++) {
      loop.execute(() -> entries++);
      loop.enter();
      int seen = entries;
      loop.leave();
      assertThat(seen).isEqualTo(round);
    }
  }

  @Test
  void workWithoutAnEndKeepsNoReceiverOut() throws Exception {
    loop.execute(
        new Runnable() {
          @Override
          public void run() {
            entries++;
            if (entries > 0) {
              loop.execute(this);
            }
          }
        });
    for (int visit = 0; visit < 100; visit++) {
      loop.enter();
      loop.leave();
    }
    loop.enter();
    entries = Integer.MIN_VALUE;
    loop.leave();
  }

  @Test
  void aReceiverIsInTheLoopAsLongAsItHasTheLock() throws Exception {
    assertThat(loop.inEventLoop()).isFalse();
    loop.enter();
    assertThat(loop.inEventLoop()).isTrue();
    assertThat(CompletableFuture.supplyAsync(loop::inEventLoop).get()).isFalse();
    loop.leave();
    assertThat(loop.inEventLoop()).isFalse();
    assertThat(loop.submit(() -> loop.inEventLoop()).get()).isTrue();
  }

  @Test
  void whatAReceiverSchedulesIsDoneWhileTheLoopWaitsForSomethingElse() throws Exception {
    CompletableFuture<Boolean> later = new CompletableFuture<>();
    loop.schedule(() -> later.complete(false), 1, TimeUnit.HOURS);
    loop.submit(() -> true).get();
    loop.enter();
    loop.schedule(() -> later.complete(true), 1, TimeUnit.MILLISECONDS);
    loop.leave();
    assertThat(later.get(30, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void whatAReceiverSchedulesIsDoneWhileItWaits() throws Exception {
    Condition condition = loop.condition();
    loop.schedule(() -> {}, 1, TimeUnit.HOURS);
    loop.submit(() -> true).get();
    CompletableFuture<Boolean> woken = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          loop.enter();
          loop.schedule(
              () -> {
                entries = 1;
                condition.signalAll();
              },
              1,
              TimeUnit.MILLISECONDS);
          while (entries == 0) {
            loop.await(condition);
          }
          loop.leave();
          woken.complete(true);
        });
    assertThat(woken.get(30, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void anErrorInAnEventEndsWhatItWasForAndNothingElse() throws Exception {
    try (UnixSocket.Pair broken = UnixSocket.pair();
        UnixSocket.Pair other = UnixSocket.pair()) {
      CompletableFuture<Throwable> told = new CompletableFuture<>();
      CompletableFuture<Boolean> heard = new CompletableFuture<>();
      watch(broken.first(), () -> fail("on purpose"), told);
      watch(other.first(), () -> heard.complete(true), new CompletableFuture<>());
      send(broken.second());
      assertThat(told.get(30, TimeUnit.SECONDS)).hasMessage("on purpose");
      send(other.second());
      assertThat(heard.get(30, TimeUnit.SECONDS)).isTrue();
      loop.submit(() -> other.first().close()).get();
    }
  }

  private void watch(FileDescriptor socket, Runnable readable, CompletableFuture<Throwable> failed)
      throws Exception {
    loop.submit(() ->
            EventWatch.begin(
                loop,
                socket,
                new EventWatch.Listener() {
                  @Override
                  public void readable() {
                    readable.run();
                  }

                  @Override
                  public void failed(Throwable cause) {
                    failed.complete(cause);
                  }
                }))
        .get();
  }

  private static void send(FileDescriptor socket) throws IOException {
    try (MessageSocket peer = new MessageSocket(socket.duplicate())) {
      peer.send(Unpooled.buffer().writeByte(1), List.of(), Duration.ofSeconds(20));
    }
  }

  @Test
  void theDeathOfTheLoopIsTheEndOfItsConnections() throws Exception {
    try (UnixSocket.Pair connected = UnixSocket.pair();
        UnixSocket.Pair deadly = UnixSocket.pair();
        MessageSocket peer = new MessageSocket(connected.second().duplicate())) {
      DescriptorSocketChannel channel = DescriptorSocketChannel.adopt(connected.first());
      group.register(channel).sync();
      loop.submit(() -> loop.register(new Deadly(deadly.first()))).get().sync();
      send(deadly.second());
      assertThatThrownBy(() -> peer.receive(Duration.ofSeconds(30)))
          .isInstanceOf(EOFException.class);
      // The peer may see the end before the channel has said it.
      assertThat(channel.closeFuture().await(30, TimeUnit.SECONDS)).isTrue();
      assertThat(channel.isOpen()).isFalse();
    }
  }

  /** Fails at its first event, and then at being closed: no loop survives that. */
  private record Deadly(FileDescriptor descriptor) implements EpollHandler.Handle {
    @Override
    public void registered() {}

    @Override
    public void unregistered() {}

    @Override
    public void handle(IoRegistration registration, IoEvent event) {
      fail("on purpose");
    }

    @Override
    public void close() {
      fail("on purpose, again");
    }
  }

  @Test
  void whatAReceiverLeavesToTheLoopIsDone() throws Exception {
    for (int round = 0; round < 200; round++) {
      CompletableFuture<Boolean> task = new CompletableFuture<>();
      loop.enter();
      loop.execute(() -> task.complete(true));
      loop.leave();
      assertThat(task.get(30, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void othersHaveTheLockWhileAReceiverWaits() throws Exception {
    Condition condition = loop.condition();
    CompletableFuture<Boolean> woken = new CompletableFuture<>();
    Thread receiver =
        Thread.ofPlatform()
            .start(() -> {
              loop.enter();
              while (entries == 0) {
                loop.await(condition);
              }
              woken.complete(loop.inEventLoop());
              loop.leave();
            });
    loop.execute(() -> {
      entries = 1;
      condition.signalAll();
    });
    assertThat(woken.get(30, TimeUnit.SECONDS)).isTrue();
    receiver.join();
  }
}
