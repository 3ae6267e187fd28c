package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

// On threads of their own: a call that waits in the kernel cannot be interrupted.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EventDescriptorTest {
  private static final Duration LONG = Duration.ofSeconds(20);

  @Test
  void countsSignals() throws Exception {
    try (FileDescriptor event = EventDescriptor.create()) {
      assertThat(EventDescriptor.read(event)).isZero();
      EventDescriptor.signal(event);
      EventDescriptor.signal(event);
      assertThat(EventDescriptor.await(event, LONG)).isEqualTo(2);
      assertThat(EventDescriptor.await(event, Duration.ofMillis(1))).isZero();
      assertThat(OpenDescriptors.closedOnExec(event)).isTrue();
    }
  }

  @Test
  void awaitIsWokenByASignal() throws Exception {
    try (FileDescriptor event = EventDescriptor.create()) {
      CompletableFuture<Long> count =
          CompletableFuture.supplyAsync(() -> {
            try {
              return EventDescriptor.await(event, LONG);
            } catch (LinuxException e) {
              throw new AssertionError(e);
            }
          });
      EventDescriptor.signal(event);
      assertThat(count.get(20, TimeUnit.SECONDS)).isEqualTo(1);
    }
  }

  @Test
  void signalNeverWaitsWhateverTheClientSetUp() throws Exception {
    try (FileDescriptor event = FileDescriptor.adopt(Libc.eventfd(0, 0));
        Arena arena = Arena.ofConfined()) {
      MemorySegment full = arena.allocateFrom(JAVA_LONG, 0xFFFF_FFFF_FFFF_FFFEL);
      assertThat(Libc.write(event.number(), full.address(), Long.BYTES)).isEqualTo(Long.BYTES);

      EventDescriptor.signal(event);

      assertThat(EventDescriptor.read(event)).isEqualTo(0xFFFF_FFFF_FFFF_FFFEL);
    }
  }

  @Test
  void readNeverWaitsWhateverTheClientSetUp() throws Exception {
    try (FileDescriptor event = FileDescriptor.adopt(Libc.eventfd(0, 0))) {
      assertThat(EventDescriptor.read(event)).isZero();
      EventDescriptor.signal(event);
      assertThat(EventDescriptor.read(event)).isOne();
      assertThat(EventDescriptor.read(event)).isZero();
    }
  }

  @Test
  void knowsItsKind() throws Exception {
    try (FileDescriptor event = EventDescriptor.create();
        FileDescriptor memory = SharedMemory.create("anon_inode:[eventfd]", 4096)) {
      assertThat(EventDescriptor.isEventDescriptor(event)).isTrue();
      assertThat(EventDescriptor.isEventDescriptor(memory)).isFalse();
    }
  }

  @Test
  void aClosedOneFailsInsteadOfReachingAnother() throws Exception {
    FileDescriptor event = EventDescriptor.create();
    event.close();
    assertThatThrownBy(() -> EventDescriptor.signal(event))
        .isInstanceOfSatisfying(
            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EBADF));
  }
}
