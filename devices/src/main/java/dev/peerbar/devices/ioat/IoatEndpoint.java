package dev.peerbar.devices.ioat;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.ConfigRegister;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The I/OAT endpoint: one function of a Skylake server's DMA engine.
 *
 * <p>DMACAPABILITY promises copies and fills. Linux uses XOR and P+Q of no Xeon with version 3.2
 * (ioat3_dma_probe), whatever it promises; this one does not.
 */
public final class IoatEndpoint implements Endpoint {
  private static final int SYSTEM_PERIPHERAL = 0x088000;
  private static final int REVISION = 4;
  private static final int INTA = 1;
  private static final long ERROR_BITS = 0xffff_ffffL;
  private static final int INTRCTRL_WRITABLE =
      IoatRegisters.INTRCTRL_MASTER | IoatRegisters.INTRCTRL_VECTOR_CONTROL;
  private static final long DELAY_BITS = 0x3fff;

  private final IoatConfig config;
  private final PciFunction function;
  private final RegisterMap registers = new RegisterMap(IoatRegisters.BAR_SIZE);

  private Host host;
  private List<Channel> channels = List.of();
  private int interruptControl;

  /** ATTNSTATUS: a bit for each channel that has interrupted since it was read. */
  private int attention;

  private long generalControl;
  private long interruptDelay;

  public IoatEndpoint(IoatConfig config) {
    this.config = config;
    function =
        PciFunction.builder()
            .identity(IoatRegisters.VENDOR_ID, IoatRegisters.DEVICE_ID)
            .classCode(SYSTEM_PERIPHERAL)
            .revision(REVISION)
            .interruptPin(INTA)
            .registers(
                new Bar.Registers(IoatRegisters.BAR, IoatRegisters.BAR_SIZE)
                    .type(Bar.Type.MEMORY_64))
            .msixIn(
                IoatRegisters.BAR,
                config.channels(),
                IoatRegisters.MSIX_TABLE,
                IoatRegisters.MSIX_PENDING)
            .advancedErrorReporting()
            .configRegister(
                ConfigRegister.at(IoatRegisters.DMAUNCERRSTS, 4).clearedByOnes(ERROR_BITS))
            .configRegister(
                ConfigRegister.at(IoatRegisters.CHANERR_INT, 4).clearedByOnes(ERROR_BITS))
            .configRegister(ConfigRegister.at(IoatRegisters.CHANERRMSK_INT, 4).writable(ERROR_BITS))
            .build();
  }

  @Override
  public PciFunction function() {
    return function;
  }

  @Override
  public void start(Host newHost) {
    host = newHost;
    channels =
        IntStream.range(0, config.channels())
            .mapToObj(index -> new Channel(index, host, this::interrupted, this::failed))
            .toList();
    registers
        .readOnly(IoatRegisters.CHANCNT, "CHANCNT", 1, config::channels)
        .readOnly(IoatRegisters.XFERCAP, "XFERCAP", 1, () -> IoatRegisters.XFERCAP_LOG2)
        .readWrite(
            IoatRegisters.GENCTRL,
            "GENCTRL",
            1,
            () -> generalControl,
            value -> generalControl = value)
        .readWrite(
            IoatRegisters.INTRCTRL,
            "INTRCTRL",
            1,
            this::readInterruptControl,
            this::writeInterruptControl)
        .readOnly(IoatRegisters.ATTNSTATUS, "ATTNSTATUS", 4, this::readAttention)
        .readOnly(IoatRegisters.CBVER, "CBVER", 1, () -> IoatRegisters.VERSION_3_2)
        .readOnly(IoatRegisters.PERPORT_OFFSET, "PERPORT_OFFSET", 2, () -> 0)
        .readWrite(
            IoatRegisters.INTRDELAY,
            "INTRDELAY",
            2,
            () -> interruptDelay,
            value -> interruptDelay = value & DELAY_BITS)
        .readOnly(IoatRegisters.CS_STATUS, "CS_STATUS", 2, () -> 0)
        .readOnly(IoatRegisters.DMACAPABILITY, "DMACAPABILITY", 4, () -> IoatRegisters.CAP_FILL)
        .readOnly(IoatRegisters.DCAOFFSET, "DCAOFFSET", 2, () -> 0);
    channels.forEach(channel -> channel.declare(registers));
  }

  @Override
  public long read(int bar, long offset, AccessWidth width) {
    channels.forEach(Channel::catchUp);
    return registers.read(offset, width);
  }

  @Override
  public void write(int bar, long offset, AccessWidth width, long value) {
    channels.forEach(Channel::catchUp);
    registers.write(offset, width, value);
  }

  /** Every kind clears all registers. */
  @Override
  public void reset(ResetKind kind) {
    channels.forEach(Channel::reset);
    interruptControl = 0;
    attention = 0;
    generalControl = 0;
    interruptDelay = 0;
  }

  private void interrupted(int channel) {
    attention |= 1 << channel;
    if ((interruptControl & IoatRegisters.INTRCTRL_VECTOR_CONTROL) != 0) {
      host.interrupts().raise(channel);
    }
    tellAll();
  }

  /** Without a vector for each, one interrupt is all channels', for as long as any has one. */
  private void tellAll() {
    boolean shared =
        (interruptControl & INTRCTRL_WRITABLE) == IoatRegisters.INTRCTRL_MASTER && attention != 0;
    if (shared) {
      host.interrupts().raise(0);
    }
    host.interrupts().pin(shared);
  }

  private void failed(int mask) {
    long before = function.config(IoatRegisters.CHANERR_INT, 4);
    function.setConfig(IoatRegisters.CHANERR_INT, 4, before | mask);
  }

  private long readInterruptControl() {
    int status = attention == 0 ? 0 : IoatRegisters.INTRCTRL_STATUS;
    boolean interrupts = status != 0 && (interruptControl & IoatRegisters.INTRCTRL_MASTER) != 0;
    return interruptControl | status | (interrupts ? IoatRegisters.INTRCTRL_INTERRUPT : 0);
  }

  private void writeInterruptControl(long value) {
    interruptControl = (int) value & INTRCTRL_WRITABLE;
    tellAll();
  }

  private long readAttention() {
    long value = attention;
    attention = 0;
    host.interrupts().pin(false);
    return value;
  }
}
