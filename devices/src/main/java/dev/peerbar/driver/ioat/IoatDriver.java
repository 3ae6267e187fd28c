package dev.peerbar.driver.ioat;

import dev.peerbar.devices.ioat.IoatDescriptor;
import dev.peerbar.devices.ioat.IoatRegisters;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.FunctionDriver;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * Drives an I/OAT endpoint: its registers (BAR 0), its interrupts (vector n for channel n), its
 * channels. For one thread at a time.
 */
public final class IoatDriver extends FunctionDriver {
  /** How long an interrupt may take on a busy machine. */
  public static final Duration LIMIT = Duration.ofSeconds(60);

  private static final int COUNT_MASK = 0x1f;

  /**
   * Does nothing to the function.
   *
   * @param vectors the channels'; none for a driver that never waits for one
   */
  public IoatDriver(Device device, List<Interrupt> vectors) throws IOException {
    super(device, IoatRegisters.BAR, vectors);
  }

  /** Takes over a function: {@link #setUp}, and each channel has its vector. */
  public static IoatDriver of(Device device) throws IOException {
    IoatDriver driver = new IoatDriver(device, List.of());
    driver.start();
    return driver;
  }

  /** What is to be done after a reset of the function, channels not included. */
  public void start() throws IOException {
    setUp();
    registers()
        .store(
            IoatRegisters.INTRCTRL,
            AccessWidth.BYTE,
            IoatRegisters.INTRCTRL_MASTER | IoatRegisters.INTRCTRL_VECTOR_CONTROL);
  }

  @Override
  protected int wantedVectors() throws IOException {
    return channels();
  }

  /** How many channels there are. */
  public int channels() throws IOException {
    return (int) registers().load(IoatRegisters.CHANCNT, AccessWidth.BYTE) & COUNT_MASK;
  }

  /**
   * A channel with descriptors in memory of its own, reset.
   *
   * @param entries of the chain, which is a ring: 2 to 65535
   */
  public IoatChannel channel(int index, int entries) throws IOException {
    long length = (entries + 1L) * IoatDescriptor.BYTES;
    return channel(index, device().allocate(length).slice(0, length));
  }

  /**
   * A channel with descriptors in memory of the caller's, reset.
   *
   * @param memory of the chain, and behind it of the completion word, which has the place of one
   *     descriptor
   */
  public IoatChannel channel(int index, DmaRange memory) throws IOException {
    long chain = memory.length() - IoatDescriptor.BYTES;
    IoatChannel channel =
        new IoatChannel(
            this, index, memory.slice(0, chain), memory.slice(chain, IoatDescriptor.BYTES));
    channel.reset();
    return channel;
  }
}
