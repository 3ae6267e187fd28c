/** The {@code bar} family: BARs that are mapped, read and written through vfio-pci. */
package dev.peerbar.scenario.bar;
