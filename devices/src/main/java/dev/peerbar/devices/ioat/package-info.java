/**
 * A DMA engine compatible with Intel I/OAT (QuickData, CBDMA) version 3.2 as in Skylake servers:
 * for the kernel's {@code ioatdma}, and for the driver that the vfio selftests bring.
 */
package dev.peerbar.devices.ioat;
