/** NVMe commands, given by a host that polls. */
package dev.peerbar.bench.nvme;
