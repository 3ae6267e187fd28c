package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.AdvancedErrorReporting;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * One PCIe function: its declaration and the state of its config space. For the function's thread.
 *
 * <p>A cold reset, which alone clears sticky bits, is the making of the object: the process starts.
 */
public final class PciFunction {

  /** Bytes of config space, the extended part included. */
  public static final int CONFIG_SPACE_SIZE = 4096;

  private final ConfigSpace space;
  private final List<Bar> bars;
  private final int interruptPin;
  private final Optional<MsixLayout> msixLayout;
  private final Type0Header header;
  private final PowerManagementCapability power;
  private final PciExpressCapability express;
  private final Optional<MsixCapability> msix;
  private final Optional<MsiCapability> msi;
  private final OwnRegisters own;

  /** Where AER is; 0 if the function has none. */
  private final int errorReporting;

  private final List<Integer> vendorCapabilities;

  /** What a write to config space asks of the function, told to the host after the whole write. */
  public interface Events {
    /** Initiate Function Level Reset was written as 1 (PCIe 6.0 7.5.3.4). */
    void functionLevelReset();

    /** The power state went from D3hot to D0, and that resets the function. */
    void d3hotToD0();

    /** {@link PciFunction#busMasterEnabled} changed. */
    void busMasterChanged(boolean enabled);

    /** {@link PciFunction#memorySpaceEnabled} changed. */
    void memorySpaceChanged(boolean enabled);

    /** MSI-X was enabled or disabled, or the function mask changed. */
    void msixChanged();

    /** MSI was enabled or disabled, or what it has allocated or masked changed. */
    default void msiChanged() {}

    /** {@link PciFunction#intxEnabled} changed. */
    void intxChanged();
  }

  /** The MSI-X capability as declared (PCIe 6.0 7.7.2). Offsets are in bytes within the BAR. */
  public record MsixLayout(int vectors, int bar, long tableOffset, long pendingOffset) {

    /** Bytes of the table. */
    public long tableLength() {
      return (long) vectors * ConfigLayout.Msix.ENTRY_BYTES;
    }

    /** Bytes of the pending bit array, in whole 8-byte words. */
    public long pendingLength() {
      return ((long) vectors + Long.SIZE - 1) / Long.SIZE * Long.BYTES;
    }

    /** Whether a part of the BAR has a byte of the structures. */
    public boolean touches(long offset, long length) {
      return overlap(offset, length, tableOffset, tableLength())
          || overlap(offset, length, pendingOffset, pendingLength());
    }

    private static boolean overlap(long one, long oneLength, long other, long otherLength) {
      return one < other + otherLength && other < one + oneLength;
    }
  }

  /** Begins the declaration of a function. */
  public static PciFunctionBuilder builder() {
    return new PciFunctionBuilder();
  }

  PciFunction(
      Type0Header.Identity identity,
      int interruptPin,
      Collection<Bar> bars,
      Optional<MsixLayout> msixLayout,
      PciFunctionBuilder.Options options) {
    this.bars = List.copyOf(bars);
    this.interruptPin = interruptPin;
    this.msixLayout = msixLayout;
    space = new ConfigSpace();
    header = new Type0Header(space, identity, interruptPin);
    this.bars.forEach(header::declare);
    CapabilityChains chains = new CapabilityChains(space);
    keepPlaces(chains, options);
    chains.plan(standardLengths(msixLayout, options), vendorLengths(options));
    power = new PowerManagementCapability(space, chains, options.noSoftReset());
    express = new PciExpressCapability(space, chains);
    msix = msixLayout.map(layout -> new MsixCapability(space, chains, layout));
    msi =
        options.msiVectors().isPresent()
            ? Optional.of(new MsiCapability(space, chains, options.msiVectors().getAsInt()))
            : Optional.empty();
    errorReporting =
        options.advancedErrorReporting()
            ? AdvancedErrorReportingCapability.declare(space, chains)
            : 0;
    options
        .serialNumber()
        .ifPresent(serial -> SerialNumberCapability.declare(space, chains, serial));
    own = new OwnRegisters(space);
    options.registers().forEach(register -> own.declare(0, register));
    List<Integer> places = new ArrayList<>();
    for (VendorCapability capability : options.vendorCapabilities()) {
      int at = capability.declare(space, chains);
      capability.registers().forEach(register -> own.declare(at, register));
      places.add(at);
    }
    vendorCapabilities = List.copyOf(places);
    chains.end();
  }

  private static void keepPlaces(CapabilityChains chains, PciFunctionBuilder.Options options) {
    for (ConfigRegister register : options.registers()) {
      chains.keep(register.offset(), register.bytes(), "A config register");
    }
    for (VendorCapability capability : options.vendorCapabilities()) {
      capability
          .place()
          .ifPresent(at -> chains.keep(at, capability.length(), "A vendor-specific capability"));
    }
  }

  /** Of the standard capabilities that are not vendor-specific, in the order in which they come. */
  private static List<Integer> standardLengths(
      Optional<MsixLayout> msix, PciFunctionBuilder.Options options) {
    List<Integer> lengths = new ArrayList<>();
    lengths.add(ConfigLayout.PowerManagement.LENGTH);
    lengths.add(ConfigLayout.Express.LENGTH);
    msix.ifPresent(_ -> lengths.add(ConfigLayout.Msix.LENGTH));
    options.msiVectors().ifPresent(_ -> lengths.add(ConfigLayout.Msi.LENGTH));
    return lengths;
  }

  private static List<Integer> vendorLengths(PciFunctionBuilder.Options options) {
    return options.vendorCapabilities().stream()
        .filter(capability -> capability.place().isEmpty() && capability.extended().isEmpty())
        .map(VendorCapability::length)
        .toList();
  }

  /** The declared BARs, by index. */
  public List<Bar> bars() {
    return bars;
  }

  public Optional<Bar> bar(int index) {
    return bars.stream().filter(bar -> bar.index() == index).findFirst();
  }

  public Optional<MsixLayout> msix() {
    return msixLayout;
  }

  /** MSI, if the function has it: what the driver has set up. */
  public Optional<MsiCapability> msi() {
    return msi;
  }

  /**
   * How many interrupt vectors an endpoint may name, by whichever mechanism they are signalled:
   * those of MSI-X or of MSI, whichever are more.
   */
  public int vectors() {
    return Math.max(
        msixLayout.map(MsixLayout::vectors).orElse(0), msi.map(MsiCapability::vectors).orElse(0));
  }

  /** Where the vendor-specific capabilities are, in bytes, in the order of their declaration. */
  public List<Integer> vendorCapabilities() {
    return vendorCapabilities;
  }

  /** 0 for none, 1 to 4 for INTA to INTD. */
  public int interruptPin() {
    return interruptPin;
  }

  /**
   * Reads config space: any length and alignment. What is the endpoint's to say ({@link
   * ConfigRegister#onRead}) it is asked for.
   *
   * @throws IndexOutOfBoundsException if {@code offset + remaining} is not inside
   */
  public void readConfig(int offset, ByteBuffer into) {
    int start = into.position();
    int count = into.remaining();
    space.read(offset, into);
    own.read(offset, count, into, start);
  }

  /**
   * What config space has stored, without asking the endpoint for what is its own to say.
   *
   * @param bytes 1 to 8
   * @return zero-extended
   * @throws IndexOutOfBoundsException if they are not inside
   */
  public long config(int offset, int bytes) {
    Objects.checkFromIndexSize(offset, bytes, CONFIG_SPACE_SIZE);
    return space.get(offset, bytes);
  }

  /**
   * Changes a register of the endpoint's own as hardware does, whatever software may write there.
   * Tells nobody.
   *
   * @param offset in config space; see {@link #vendorCapabilities} for those in a capability
   * @param bytes 1 to 8
   * @throws IllegalArgumentException if they are not within a register that the endpoint has
   *     declared, or a bit changes that was not declared to: as writable, cleared by ones, or
   *     {@link ConfigRegister#changedByDevice}
   */
  public void setConfig(int offset, int bytes, long value) {
    own.set(offset, bytes, value & ConfigRegister.mask(bytes));
  }

  /**
   * Writes config space: any length and alignment; then tells {@code events} what it asks for.
   *
   * <p>The endpoint is told first what was written to registers of its own. What changed is told in
   * this order: bus master, memory space, MSI-X, MSI, INTx, D3hot to D0, function-level reset.
   * Where the write also asks for a reset, that something became enabled is not told: the reset
   * disables it again. The reset itself is the caller's to carry out; {@link #reset} is part of
   * that.
   *
   * @throws IndexOutOfBoundsException if {@code offset + remaining} is not inside; nothing changes
   */
  public void writeConfig(int offset, ByteBuffer from, Events events) {
    boolean functionLevelReset = express.initiatesFunctionLevelReset(offset, from);
    boolean busMasterBefore = busMasterEnabled();
    boolean memorySpaceBefore = memorySpaceEnabled();
    boolean msixEnabledBefore = msixEnabled();
    boolean msixMaskedBefore = msixMasked();
    boolean intxEnabledBefore = intxEnabled();
    boolean inD3hotBefore = inD3hot();
    int powerStateBefore = power.state();
    long msiBefore = msi.map(MsiCapability::state).orElse(0L);
    int start = from.position();
    int count = from.remaining();

    space.write(offset, from);
    power.discardUnsupported(powerStateBefore);
    own.write(offset, count, from, start);

    boolean softReset = inD3hotBefore && !inD3hot() && !power.noSoftReset();
    boolean reset = softReset || functionLevelReset;
    if (busMasterEnabled() != busMasterBefore && !(reset && busMasterEnabled())) {
      events.busMasterChanged(busMasterEnabled());
    }
    if (memorySpaceEnabled() != memorySpaceBefore && !(reset && memorySpaceEnabled())) {
      events.memorySpaceChanged(memorySpaceEnabled());
    }
    if (msixEnabled() != msixEnabledBefore || msixMasked() != msixMaskedBefore) {
      events.msixChanged();
    }
    if (msi.map(MsiCapability::state).orElse(0L) != msiBefore) {
      events.msiChanged();
    }
    if (intxEnabled() != intxEnabledBefore && !(reset && intxEnabled())) {
      events.intxChanged();
    }
    if (softReset) {
      events.d3hotToD0();
    }
    if (functionLevelReset) {
      events.functionLevelReset();
    }
  }

  /** Whether the function may issue requests: Bus Master Enable is set, and it is not in D3hot. */
  public boolean busMasterEnabled() {
    return header.busMaster() && !inD3hot();
  }

  /** Whether the BARs answer: Memory Space Enable is set, and the function is not in D3hot. */
  public boolean memorySpaceEnabled() {
    return header.memorySpace() && !inD3hot();
  }

  /** In D3hot a function answers config accesses only (PCIe 6.0 5.3.1.4). */
  public boolean inD3hot() {
    return power.inD3hot();
  }

  public boolean msixEnabled() {
    return msix.map(MsixCapability::enabled).orElse(false);
  }

  /** The Function Mask bit of Message Control. */
  public boolean msixMasked() {
    return msix.map(MsixCapability::masked).orElse(false);
  }

  /**
   * Whether MSI is in force: it is enabled, and MSI-X is not. Software that enables both does what
   * the specification does not allow (PCIe 6.0 6.1.4); MSI-X has it then.
   */
  public boolean msiEnabled() {
    return msi.isPresent() && msi.get().enabled() && !msixEnabled();
  }

  /**
   * Whether the function may signal its interrupt pin: it has one, Interrupt Disable is clear,
   * neither MSI nor MSI-X is enabled (PCIe 6.0 7.5.1.1.3, 7.7.1 and 7.7.2), and it is not in D3hot.
   */
  public boolean intxEnabled() {
    return interruptPin != 0
        && !header.interruptDisabled()
        && !msixEnabled()
        && !msiEnabled()
        && !inD3hot();
  }

  /** The Interrupt Status bit: whether the function asserts its pin, signalled or not. */
  public void interruptStatus(boolean pending) {
    header.interruptStatus(pending);
  }

  /**
   * Has detected an error: Device Status says so from now on, and Advanced Error Reporting if the
   * function has it, until software clears the bits. Sends no message, and tells nobody.
   */
  public void detected(PcieError error) {
    int deviceStatus = express.deviceStatus();
    space.set(deviceStatus, 2, space.get(deviceStatus, 2) | error.deviceStatus());
    if (errorReporting != 0) {
      int status =
          errorReporting
              + (error.uncorrectable()
                  ? AdvancedErrorReporting.UNCORRECTABLE_STATUS
                  : AdvancedErrorReporting.CORRECTABLE_STATUS);
      space.set(status, 4, space.get(status, 4) | error.aerStatus());
    }
  }

  /**
   * Gives config space its reset values, without telling anyone.
   *
   * <p>Sticky bits survive every kind. {@code FUNCTION_LEVEL} and {@code D3HOT_TO_D0}, which reset
   * this function and not its link, also leave what belongs to the link: Max_Payload_Size and Link
   * Control (PCIe 6.0 6.6.2). {@code BUS_OR_DEVICE} is a conventional hot reset and leaves nothing
   * but sticky bits.
   */
  public void reset(ResetKind kind) {
    space.reset(kind);
  }

  /**
   * The bits of config space that are not the same for ever, for a function declared like this one
   * to take on; all others are zero.
   *
   * @return {@link #CONFIG_SPACE_SIZE} bytes
   */
  public byte[] saveState() {
    return space.save();
  }

  /**
   * Takes on what {@link #saveState} gave, or what somebody made up: read-only bits stay as they
   * are. Tells nobody.
   *
   * @throws InvalidStateException if a read-only bit is set, the power state is one that the
   *     function does not have, or the length is wrong; nothing has changed then
   */
  public void restoreState(byte[] saved) throws InvalidStateException {
    byte[] before = space.save();
    space.restore(saved);
    if (!power.inSupportedState()) {
      int state = power.state();
      space.restore(before);
      throw new InvalidStateException("Power state D%d, which is not supported".formatted(state));
    }
  }

  /**
   * Whether config space has more than identity, BARs and the capabilities that can only be there
   * or not: MSI, or registers or capabilities of the endpoint's own.
   */
  public boolean hasOwnConfig() {
    return msi.isPresent() || !vendorCapabilities.isEmpty() || !own.isEmpty();
  }

  /**
   * What config space was declared to be: its values at power-on and, behind them, which bits of it
   * can change. The same for two functions if the state of one can be the other's.
   *
   * @return twice {@link #CONFIG_SPACE_SIZE} bytes
   */
  public byte[] configDeclaration() {
    return space.declaration();
  }

  /** For tests in this package, which look behind what software can see. */
  ConfigSpace space() {
    return space;
  }
}
