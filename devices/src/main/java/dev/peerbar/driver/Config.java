package dev.peerbar.driver;

import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigLayout;
import dev.peerbar.pci.ConfigLayout.Express;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.pci.ConfigLayout.PowerManagement;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * What drivers do in config space, by its registers' names. For one thread at a time.
 *
 * @param device whose it is
 */
public record Config(Device device) {

  public int word(int offset) throws IOException {
    return (int) device.readConfig(offset, AccessWidth.WORD);
  }

  public void word(int offset, int value) throws IOException {
    device.writeConfig(offset, AccessWidth.WORD, value);
  }

  /** Lets the BARs answer, or not. */
  public void memorySpace(boolean on) throws IOException {
    command(Header.COMMAND_MEMORY_SPACE, on);
  }

  /** Lets the function master the bus, or not. */
  public void busMaster(boolean on) throws IOException {
    command(Header.COMMAND_BUS_MASTER, on);
  }

  private void command(int bit, boolean on) throws IOException {
    int command = word(Header.COMMAND);
    word(Header.COMMAND, on ? command | bit : command & ~bit);
  }

  /**
   * Where a capability of the standard list is (PCIe 6.0 7.5.1.1.11), if there is one.
   *
   * @param id such as {@link ConfigLayout.Msix#ID}
   */
  public OptionalInt find(int id) throws IOException {
    List<Integer> all = findAll(id);
    return all.isEmpty() ? OptionalInt.empty() : OptionalInt.of(all.getFirst());
  }

  /**
   * Where all capabilities of one kind are, in the order of the list.
   *
   * @param id such as {@link ConfigLayout.VendorSpecific#ID}
   */
  public List<Integer> findAll(int id) throws IOException {
    List<Integer> found = new ArrayList<>();
    int at = pointer(Header.CAPABILITIES_POINTER);
    // There is room for so many; a list that is longer goes round.
    for (int looked = 0; at != 0 && looked < 48; looked++) {
      if (device.readConfig(at + ConfigLayout.Capability.ID, AccessWidth.BYTE) == id) {
        found.add(at);
      }
      at = pointer(at + ConfigLayout.Capability.NEXT);
    }
    return found;
  }

  private int pointer(int offset) throws IOException {
    return (int) device.readConfig(offset, AccessWidth.BYTE) & ConfigLayout.Capability.POINTER_MASK;
  }

  /**
   * Where a capability is that must be there.
   *
   * @throws IOException if it is not
   */
  public int capability(int id) throws IOException {
    OptionalInt at = find(id);
    if (at.isEmpty()) {
      throw new IOException("the function has no capability 0x%02x".formatted(id));
    }
    return at.getAsInt();
  }

  /** How many MSI-X vectors the function has. */
  public int msixVectors() throws IOException {
    return (word(capability(Msix.ID) + Msix.MESSAGE_CONTROL) & Msix.TABLE_SIZE) + 1;
  }

  /** Holds all vectors back that are enabled, or lets them go. */
  public void maskMsix(boolean on) throws IOException {
    int at = capability(Msix.ID) + Msix.MESSAGE_CONTROL;
    int control = word(at);
    word(at, on ? control | Msix.FUNCTION_MASK : control & ~Msix.FUNCTION_MASK);
  }

  /** Initiates a function-level reset; {@link Device#reset} does what belongs around it. */
  public void functionLevelReset() throws IOException {
    int at = capability(Express.ID) + Express.DEVICE_CONTROL;
    word(at, word(at) | Express.INITIATE_FUNCTION_LEVEL_RESET);
  }

  /**
   * Puts the function into a power state.
   *
   * @param state {@link PowerManagement#D0} or {@link PowerManagement#D3HOT}
   */
  public void powerState(int state) throws IOException {
    int at = capability(PowerManagement.ID) + PowerManagement.CONTROL_STATUS;
    word(at, word(at) & ~PowerManagement.POWER_STATE | state);
  }
}
