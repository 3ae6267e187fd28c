package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import java.lang.foreign.ValueLayout;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The watcher of mapped doorbells in bad times. The executor is the function's thread. */
@Timeout(60)
final class DoorbellPageTest {
  private static final Bar.Doorbells LAYOUT = new Bar.Doorbells(0x1000, 0x1000, 0x100, 4);
  private static final int LIMIT_SECONDS = 20;

  private final BlockingQueue<String> rung = new ArrayBlockingQueue<>(16);
  private final Queue<Throwable> failures = new ConcurrentLinkedQueue<>();

  private DoorbellPage page(Executor functionThread, DoorbellPage.Listener listener)
      throws Exception {
    return new DoorbellPage(
        "test",
        new SharedBar("doorbell-page-test", 0x2000),
        LAYOUT,
        functionThread,
        failures::add,
        listener);
  }

  private void ring(long offset, int value) {
    rung.add("0x%x %d".formatted(offset, value));
  }

  private void awaitRung(String expected) throws InterruptedException {
    assertThat(rung.poll(LIMIT_SECONDS, TimeUnit.SECONDS)).isEqualTo(expected);
  }

  @Test
  void aStoreThatCouldNotBeAnnouncedIsAnnouncedLater() throws Exception {
    AtomicBoolean room = new AtomicBoolean();
    Executor scarce =
        task -> {
          if (!room.getAndSet(true)) {
            throw new OutOfMemoryError("no room for a task");
          }
          task.run();
        };
    try (DoorbellPage page = page(scarce, this::ring)) {
      page.start();
      page.memory().set(ValueLayout.JAVA_INT, 0x1100, 7);
      awaitRung("0x1100 7");
      page.memory().set(ValueLayout.JAVA_INT, 0x1200, 8);
      awaitRung("0x1200 8");
    }
    assertThat(failures).hasSize(1).first().isInstanceOf(OutOfMemoryError.class);
  }

  /** What one doorbell sets off may fail: the others are rung all the same. */
  @Test
  void aDoorbellThatFailsLeavesTheOthers() throws Exception {
    Executor forgiving =
        task -> {
          try {
            task.run();
          } catch (IllegalStateException e) {
            rung.add(e.getMessage());
          }
        };
    try (DoorbellPage page =
        page(
            forgiving,
            (offset, value) -> {
              if (offset == 0x1100) {
                throw new IllegalStateException("broken");
              }
              ring(offset, value);
            })) {
      page.memory().set(ValueLayout.JAVA_INT, 0x1100, 7);
      page.memory().set(ValueLayout.JAVA_INT, 0x1300, 9);
      page.start();
      awaitRung("broken");
      awaitRung("0x1300 9");
      assertThat(page.read(0x1100, AccessWidth.DWORD)).isEqualTo(7);
    }
  }
}
