package dev.peerbar.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

final class MsixTableTest {
  private static final int VECTORS = 70;
  private static final long TABLE = 0x100;
  private static final long PENDING = 0x1000;
  private static final long BAR_SIZE = 0x2000;

  private final MsixTable table =
      new MsixTable(new PciFunction.MsixLayout(VECTORS, 4, TABLE, PENDING));

  private ByteBuffer read(long offset, int length) {
    ByteBuffer into = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    table.read(offset, into);
    return into.flip();
  }

  private void write(long offset, byte[] bytes) {
    table.write(offset, ByteBuffer.wrap(bytes));
  }

  private static byte[] ones(int length) {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) 0xff);
    return bytes;
  }

  @Test
  void startsMasked() {
    for (int vector = 0; vector < VECTORS; vector++) {
      assertThat(table.masked(vector)).isTrue();
      assertThat(read(TABLE + vector * 16L + 12, 4).getInt()).isEqualTo(1);
      assertThat(table.isPending(vector)).isFalse();
    }
  }

  @Test
  void keepsMessageAndMaskBitOnly() {
    write(TABLE + 3 * 16, ones(16));

    ByteBuffer entry = read(TABLE + 3 * 16, 16);
    assertThat(entry.getLong()).isEqualTo(~0x3L);
    assertThat(entry.getInt()).isEqualTo(-1);
    assertThat(entry.getInt()).isEqualTo(1);
    assertThat(table.messageAddress(3)).isEqualTo(~0x3L);
    assertThat(table.messageData(3)).isEqualTo(-1);
  }

  @Test
  void unmasksOneVector() {
    write(TABLE + 2 * 16 + 12, new byte[4]);

    assertThat(table.masked(1)).isTrue();
    assertThat(table.masked(2)).isFalse();
    assertThat(table.masked(3)).isTrue();
  }

  @Test
  void takesAccessAcrossEntries() {
    byte[] message = {1, 2, 3, 4, 5, 6, 7, 8};
    write(TABLE + 12, message);

    assertThat(table.masked(0)).isTrue();
    assertThat(read(TABLE + 12, 8).getLong()).isEqualTo(0x0807_0604_0000_0001L);
  }

  @Test
  void showsPendingBitsThatClientsCannotWrite() {
    table.setPending(0);
    table.setPending(65);
    write(PENDING, ones(16));

    ByteBuffer bits = read(PENDING, 16);
    assertThat(bits.getLong()).isEqualTo(1);
    assertThat(bits.getLong()).isEqualTo(2);

    table.clearPending(65);
    assertThat(table.isPending(65)).isFalse();
    assertThat(table.isPending(0)).isTrue();
  }

  @Test
  void readsZeroOutsideStructures() {
    write(0, ones((int) BAR_SIZE));

    assertThat(read(0, (int) TABLE).array()).containsOnly(0);
    long end = TABLE + VECTORS * 16;
    assertThat(read(end, (int) (PENDING - end)).array()).containsOnly(0);
    assertThat(read(PENDING, (int) (BAR_SIZE - PENDING)).array()).containsOnly(0);
  }

  @Test
  void forgetsOnReset() {
    write(TABLE, ones(VECTORS * 16));
    write(TABLE + 12, new byte[1]);
    table.setPending(5);

    table.reset();

    startsMasked();
    assertThat(table.messageAddress(0)).isZero();
    assertThat(table.messageData(0)).isZero();
  }

  @Test
  void refusesVectorItDoesNotHave() {
    assertThatThrownBy(() -> table.masked(VECTORS)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> table.setPending(-1)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  private MsixTable changed() {
    MsixTable changed = new MsixTable(new PciFunction.MsixLayout(VECTORS, 4, TABLE, PENDING));
    changed.write(TABLE + 5 * 16, ByteBuffer.wrap(ones(16)));
    changed.write(TABLE + 6 * 16 + 12, ByteBuffer.wrap(new byte[4]));
    changed.setPending(0);
    changed.setPending(VECTORS - 1);
    return changed;
  }

  @Test
  void takesASavedStateOn() throws Exception {
    MsixTable other = changed();
    table.restoreState(other.saveState());

    assertThat(table.saveState()).isEqualTo(other.saveState());
    assertThat(table.messageAddress(5)).isEqualTo(~0x3L);
    assertThat(table.masked(6)).isFalse();
    assertThat(table.isPending(0)).isTrue();
    assertThat(table.isPending(1)).isFalse();
    assertThat(table.isPending(VECTORS - 1)).isTrue();
  }

  @Test
  void refusesWhatItCannotHold() {
    int length = table.stateLength();
    assertThat(length).isEqualTo(VECTORS * 16 + 16);
    byte[] before = table.saveState();
    refuses(new byte[length - 1]);
    refuses(new byte[length + 1]);
    // The low bits of an address, a reserved bit and byte of the control, a vector beyond the last.
    refuses(withByte(3 * 16, 1));
    refuses(withByte(3 * 16, 2));
    refuses(withByte(3 * 16 + 12, 2));
    refuses(withByte(3 * 16 + 13, 1));
    refuses(withByte(VECTORS * 16 + VECTORS / 8, 1 << VECTORS % 8));
    refuses(withByte(length - 1, 0x80));
    assertThat(table.saveState()).isEqualTo(before);
  }

  private byte[] withByte(int at, int value) {
    byte[] state = changed().saveState();
    state[at] = (byte) value;
    return state;
  }

  private void refuses(byte[] state) {
    assertThatThrownBy(() -> table.restoreState(state)).isInstanceOf(InvalidStateException.class);
  }
}
