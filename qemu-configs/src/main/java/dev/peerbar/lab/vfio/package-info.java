/**
 * Functions of the guest in the hands of a user-space driver: vfio-pci character devices, I/O
 * address spaces of iommufd, DMABUFs of BARs.
 */
package dev.peerbar.lab.vfio;
