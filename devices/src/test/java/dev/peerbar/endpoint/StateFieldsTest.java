package dev.peerbar.endpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.pci.InvalidStateException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

final class StateFieldsTest {

  @Test
  void fieldsAreLittleEndianAndUnpadded() {
    byte[] bytes = new StateWriter().putInt(0x01020304).putFlag(true).putLong(-2).toBytes();
    assertThat(bytes).containsExactly(4, 3, 2, 1, 1, 0, 0, 0, -2, -1, -1, -1, -1, -1, -1, -1);
  }

  @Test
  void whatWasWrittenIsRead() throws Exception {
    StateWriter writer = new StateWriter();
    for (int i = 0; i < 1000; i++) {
      writer.putInt(0xffff_ffffL - i).putLong(~i).putFlag(i % 2 == 0);
    }
    StateReader reader = new StateReader(writer.toBytes());
    for (int i = 0; i < 1000; i++) {
      assertThat(reader.getInt()).isEqualTo(0xffff_ffffL - i);
      assertThat(reader.getLong()).isEqualTo(~i);
      assertThat(reader.getFlag("even")).isEqualTo(i % 2 == 0);
    }
    reader.end();
  }

  @Test
  void aFieldIsWholeOrNotThere() {
    for (int length = 0; length < 8; length++) {
      byte[] bytes = new byte[length];
      assertInvalid(() -> new StateReader(bytes).getLong());
      if (length < 4) {
        assertInvalid(() -> new StateReader(bytes).getInt());
        assertInvalid(() -> new StateReader(bytes).getFlag("flag"));
      }
    }
  }

  @Test
  void numbersAreAtMostWhatIsPossible() throws Exception {
    assertThat(new StateReader(new byte[] {7, 0, 0, 0}).getInt("field", 7)).isEqualTo(7);
    assertInvalid(() -> new StateReader(new byte[] {8, 0, 0, 0}).getInt("field", 7));
    assertInvalid(() -> new StateReader(new byte[] {-1, -1, -1, -1}).getInt("field", 7));
    assertInvalid(() -> new StateReader(new byte[] {2, 0, 0, 0}).getFlag("flag"));
  }

  @Test
  void nothingMayFollow() {
    assertInvalid(() -> new StateReader(new byte[1]).end());
  }

  private static void assertInvalid(ThrowingCallable call) {
    assertThatThrownBy(call).isInstanceOf(InvalidStateException.class);
  }
}
