package dev.peerbar.server.function;

import dev.peerbar.pci.MsiCapability;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;

/** What MSI-X and MSI have in common: numbered messages, each held back or not, and pending. */
sealed interface Messages {

  IrqIndex index();

  /** How many there are. */
  int count();

  /** Whether this is the mechanism in force. */
  boolean enabled();

  /** Which message an endpoint's vector has, if it is less than {@link #count}. */
  int of(int vector);

  /** Whether config space holds a message back. */
  boolean masked(int message);

  boolean isPending(int message);

  void setPending(int message);

  void clearPending(int message);

  /**
   * MSI-X. The client emulates the table itself and takes a descriptor away where it wants no
   * interrupt, so the mask bits of our table say nothing; those of the capability do.
   */
  record Msix(PciFunction function, MsixTable table) implements Messages {

    @Override
    public IrqIndex index() {
      return IrqIndex.MSIX;
    }

    @Override
    public int count() {
      return table.vectors();
    }

    @Override
    public boolean enabled() {
      return function.msixEnabled();
    }

    @Override
    public int of(int vector) {
      return vector;
    }

    @Override
    public boolean masked(int message) {
      return function.msixMasked();
    }

    @Override
    public boolean isPending(int message) {
      return table.isPending(message);
    }

    @Override
    public void setPending(int message) {
      table.setPending(message);
    }

    @Override
    public void clearPending(int message) {
      table.clearPending(message);
    }
  }

  /**
   * MSI, whose masks are in config space. A client has them written here, and what is pending is
   * this function's to send when they are cleared.
   */
  record Msi(PciFunction function, MsiCapability capability) implements Messages {

    @Override
    public IrqIndex index() {
      return IrqIndex.MSI;
    }

    @Override
    public int count() {
      return capability.vectors();
    }

    @Override
    public boolean enabled() {
      return function.msiEnabled();
    }

    @Override
    public int of(int vector) {
      return capability.message(vector);
    }

    @Override
    public boolean masked(int message) {
      return capability.masked(message);
    }

    @Override
    public boolean isPending(int message) {
      return capability.isPending(message);
    }

    @Override
    public void setPending(int message) {
      capability.setPending(message);
    }

    @Override
    public void clearPending(int message) {
      capability.clearPending(message);
    }
  }
}
