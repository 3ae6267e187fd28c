package dev.peerbar.lab.hbm;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.hbm.Opcode;
import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestAgent;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.VfioDevice;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * An HBM endpoint that the guest drives through vfio-pci: BAR 0 mapped, MSI-X on eventfds. For one
 * thread at a time.
 */
public final class HbmDevice {
  private static final int FAULT_VECTOR = 0;

  private final VfioDevice vfio;
  private final Guest guest;
  private final Ioas ioas;
  private final GuestMemory registers;
  private final List<EventFd> vectors;

  private HbmDevice(
      VfioDevice vfio, Guest guest, Ioas ioas, GuestMemory registers, List<EventFd> vectors) {
    this.vfio = vfio;
    this.guest = guest;
    this.ioas = ioas;
    this.registers = registers;
    this.vectors = vectors;
  }

  /** Takes over a function that is open and attached to the IOAS: bus mastering and MSI-X go on. */
  public static HbmDevice of(Guest guest, VfioDevice vfio, Ioas ioas) throws IOException {
    vfio.memorySpace(true);
    vfio.busMaster(true);
    GuestMemory registers = vfio.mmapBar(HbmRegisters.BAR);
    int channels = registers.read32(HbmRegisters.CAPS) & 0xff;
    return new HbmDevice(vfio, guest, ioas, registers, vfio.enableMsix(channels + 1));
  }

  public VfioDevice vfio() {
    return vfio;
  }

  public int read(long register) throws IOException {
    return registers.read32(register);
  }

  public long readLong(long register) throws IOException {
    return registers.read64(register);
  }

  public void write(long register, int value) throws IOException {
    registers.write32(register, value);
  }

  /** Starts a thread of the guest that reads a register over and over until it is stopped. */
  public GuestAgent.Poller poll(long register) throws IOException {
    return registers.poll(register, Integer.BYTES);
  }

  /** A channel, with memory of the guest for its ring. Programmed by {@link HbmChannel#enable}. */
  public HbmChannel channel(int index) throws IOException {
    return new HbmChannel(this, index, guest, ioas);
  }

  /** BAR 0, mapped in the guest. */
  public GuestMemory registers() {
    return registers;
  }

  /** The vector of a channel, as it is after a reset. */
  EventFd vector(int channel) {
    return vectors.get(channel + 1);
  }

  /** Waits for the fault vector. */
  public boolean awaitFault(Duration limit) throws IOException {
    return vectors.get(FAULT_VECTOR).await(limit).isPresent();
  }

  /** Forgets interrupts that have come; how many there were. */
  public long drainInterrupts() throws IOException {
    long count = 0;
    for (EventFd vector : vectors) {
      count += vector.drain();
    }
    return count;
  }

  /** The first latched fault's address. */
  public long faultAddress() throws IOException {
    return readLong(HbmRegisters.FAULT_ADDR);
  }

  /** Lets the next fault latch. */
  public void clearFault() throws IOException {
    write(HbmRegisters.FAULT, HbmRegisters.FAULT_LATCHED);
  }

  /** A descriptor that copies between IOVAs and says so by record and interrupt. */
  public static Descriptor copy(long from, long to, long length) {
    return new Descriptor(Opcode.COPY.code(), Descriptor.INTERRUPT, from, to, length, 0, 0, 0, 0);
  }

  /** A descriptor that takes the CRC32C of an IOVA range. */
  public static Descriptor crc32c(long from, long length) {
    return new Descriptor(Opcode.CRC32C.code(), Descriptor.INTERRUPT, from, 0, length, 0, 0, 0, 0);
  }

  /** A descriptor that stores 4 bytes at an IOVA. */
  public static Descriptor writeImmediate(long to, int value) {
    return new Descriptor(
        Opcode.WRITE_IMMEDIATE.code(),
        Descriptor.INTERRUPT,
        0,
        to,
        Integer.BYTES,
        0,
        Integer.toUnsignedLong(value),
        0,
        0);
  }

  /** A descriptor that fills part of the endpoint's own memory. */
  public static Descriptor fillLocal(long offset, long pattern, long length) {
    return new Descriptor(
        Opcode.FILL.code(),
        Descriptor.INTERRUPT | Descriptor.DESTINATION_IS_LOCAL,
        0,
        offset,
        length,
        0,
        pattern,
        0,
        0);
  }
}
