/**
 * What lies in the queues: the 64-byte submission entry and the 16-byte completion entry (NVMe 1.4
 * 4.2 and 4.6), opcodes and status codes. For the endpoint and for those who drive one.
 */
package dev.peerbar.devices.nvme.entry;
