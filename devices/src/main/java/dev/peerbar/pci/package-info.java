/**
 * PCI and PCIe as a function shows them: config space, capabilities, BARs, MSI-X, kinds of reset.
 *
 * <p>Nothing here knows how accesses arrive. All state of a function belongs to its one thread.
 */
package dev.peerbar.pci;
