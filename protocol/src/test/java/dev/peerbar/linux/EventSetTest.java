package dev.peerbar.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EventSetTest {
  private final List<FileDescriptor> events = new ArrayList<>();
  private EventSet set;

  @BeforeEach
  void open() throws Exception {
    set = new EventSet();
    for (int i = 0; i < 16; i++) {
      // Which wait: whoever shares an event descriptor may have it so.
      FileDescriptor event = FileDescriptor.adopt(Libc.eventfd(0, 0));
      events.add(event);
      assertThat(set.add(event)).isEqualTo(i);
    }
  }

  @AfterEach
  void close() {
    set.close();
    events.forEach(FileDescriptor::close);
  }

  private List<Integer> take() throws LinuxException {
    List<Integer> taken = new ArrayList<>();
    set.take(taken::add);
    return taken;
  }

  private void signal(int... indexes) throws LinuxException {
    for (int index : indexes) {
      EventDescriptor.signal(events.get(index));
    }
  }

  @Test
  void tellsInTheOrderOfSignals() throws Exception {
    assertThat(take()).isEmpty();
    signal(5, 0, 15, 3);
    assertThat(take()).containsExactly(5, 0, 15, 3);
    signal(3, 0);
    assertThat(take()).containsExactly(3, 0);
    signal(0, 3);
    assertThat(take()).containsExactly(0, 3);
    assertThat(take()).isEmpty();
  }

  @Test
  void severalSignalsAreOne() throws Exception {
    signal(1, 1, 2, 1);
    assertThat(take()).containsExactly(1, 2);
    assertThat(take()).isEmpty();
  }

  @Test
  void aCountThatAnotherTookIsNotTold() throws Exception {
    signal(1, 2);
    EventDescriptor.read(events.get(1));
    assertThat(take()).containsExactly(2);
  }

  @Test
  void canBePolledForWhatIsLeft() throws Exception {
    assertThat(UnixSocket.awaitReadable(set.descriptor(), Duration.ZERO)).isFalse();
    signal(7);
    assertThat(UnixSocket.awaitReadable(set.descriptor(), Duration.ofSeconds(20))).isTrue();
    take();
    assertThat(UnixSocket.awaitReadable(set.descriptor(), Duration.ZERO)).isFalse();
  }

  @Test
  void isClosedOnExec() throws Exception {
    assertThat(OpenDescriptors.closedOnExec(set.descriptor())).isTrue();
  }
}
