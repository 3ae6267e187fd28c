/** An NVMe driver for tests, over a host of any kind. */
package dev.peerbar.devices.nvme.drive;
