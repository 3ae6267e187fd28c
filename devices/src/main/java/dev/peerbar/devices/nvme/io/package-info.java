/** The NVM command set (NVMe 1.4 6): what I/O commands do to storage, and what they count. */
package dev.peerbar.devices.nvme.io;
