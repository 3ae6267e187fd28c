package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

// On threads of their own: a call that waits in the kernel cannot be interrupted.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EventSignallerTest {
  private static final long FULL = 0xFFFF_FFFF_FFFF_FFFEL;

  @Test
  void signalsMoreOftenThanTheKernelKeepsCompletions() throws Exception {
    try (EventSignaller signaller = new EventSignaller();
        FileDescriptor event = EventDescriptor.create()) {
      for (int i = 0; i < 10_000; i++) {
        signaller.signal(event);
      }
      assertThat(EventDescriptor.read(event)).isEqualTo(10_000);
    }
  }

  @Test
  void hasTheKernelsOwnSignal() {
    try (EventSignaller signaller = new EventSignaller()) {
      // Of this machine: elsewhere the class may have to do with less.
      assertThat(signaller.neverWaits()).isTrue();
    }
  }

  @Test
  void doesNotWaitForAFullCounterThatWaits() throws Exception {
    try (EventSignaller signaller = new EventSignaller();
        FileDescriptor event = FileDescriptor.adopt(Libc.eventfd(0, 0))) {
      fill(event);
      signaller.signal(event);
      signaller.signal(event);
      // One more than a write could reach: nothing here depends on there being room.
      assertThat(EventDescriptor.read(event)).isEqualTo(FULL + 1);
    }
  }

  private static void fill(FileDescriptor event) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment full = arena.allocateFrom(JAVA_LONG, FULL);
      assertThat(Libc.write(event.number(), full.address(), Long.BYTES)).isEqualTo(Long.BYTES);
    }
  }

  @Test
  void refusesWhatIsNoEventDescriptor() throws Exception {
    try (EventSignaller signaller = new EventSignaller();
        FileDescriptor memory = SharedMemory.create("signaller", 4096)) {
      assertThatThrownBy(() -> signaller.signal(memory))
          .isInstanceOfSatisfying(
              LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
    }
  }

  @Test
  void leavesNothingOpen() throws Exception {
    try (FileDescriptor event = EventDescriptor.create()) {
      for (int i = 0; i < 100; i++) {
        EventSignaller signaller = new EventSignaller();
        assertThat(OpenDescriptors.memoryFiles("peerbar-nothing")).isOne();
        assertThat(contexts()).isOne();
        signaller.signal(event);
        signaller.close();
        signaller.close();
        signaller.signal(event);
      }
      assertThat(OpenDescriptors.memoryFiles("peerbar-nothing")).isZero();
      assertThat(contexts()).isZero();
      assertThat(EventDescriptor.read(event)).isEqualTo(100);
    }
  }

  /** The kernel maps the completions of each into the process. */
  private static long contexts() throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains("[aio]")).count();
    }
  }
}
