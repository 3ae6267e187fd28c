/**
 * The {@code nvme} family: a controller through vfio-pci whose commands come from another device.
 */
package dev.peerbar.scenario.nvme;
