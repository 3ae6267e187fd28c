package dev.peerbar.lab.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class PatternTest {
  @Test
  void isSplitmix64() {
    // Words of the reference implementation from seed 0: its state is advanced before the first
    // word.
    assertThat(Pattern.word(0, 1)).isEqualTo(0xe220a8397b1dcdafL);
    assertThat(Pattern.word(0, 2)).isEqualTo(0x6e789e6aa1b965f4L);
    assertThat(Pattern.word(1, 1)).isEqualTo(Pattern.word(0, 2));
  }

  @Test
  void findsTheFirstWordThatDiffers() {
    MemorySegment memory = MemorySegment.ofArray(new byte[4096]);
    Pattern.fill(memory, 7);
    assertThat(Pattern.mismatch(memory, 7)).isEqualTo(4096);
    memory.set(ValueLayout.JAVA_BYTE, 801, (byte) (memory.get(ValueLayout.JAVA_BYTE, 801) ^ 1));
    assertThat(Pattern.mismatch(memory, 7)).isEqualTo(800);
  }
}
