package dev.peerbar.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class CpuAffinityTest {
  @Test
  void aThreadAndThoseThatItStartsRunWhereTheyAreTold() throws Exception {
    BitSet all = CpuAffinity.ofCallingThread();
    BitSet last = new BitSet();
    last.set(all.length() - 1);
    CompletableFuture<BitSet> told = new CompletableFuture<>();
    CompletableFuture<BitSet> inherited = new CompletableFuture<>();
    Thread.ofPlatform()
        .start(() -> {
          try {
            CpuAffinity.setOfCallingThread(last);
            told.complete(CpuAffinity.ofCallingThread());
            Thread.ofPlatform()
                .start(() -> inherited.completeAsync(CpuAffinityTest::here, Runnable::run));
          } catch (LinuxException e) {
            told.completeExceptionally(e);
          }
        });

    assertThat(told.get()).isEqualTo(last);
    assertThat(inherited.get()).isEqualTo(last);
    assertThat(CpuAffinity.ofCallingThread()).isEqualTo(all);
  }

  private static BitSet here() {
    try {
      return CpuAffinity.ofCallingThread();
    } catch (LinuxException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void noProcessorAtAllIsRefused() {
    assertThatThrownBy(() -> CpuAffinity.setOfCallingThread(new BitSet()))
        .isInstanceOfSatisfying(
            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
  }
}
