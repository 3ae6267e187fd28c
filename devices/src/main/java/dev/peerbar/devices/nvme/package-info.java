/**
 * The NVMe endpoint: a controller with a Controller Memory Buffer, after the NVMe 1.4 base
 * specification. Its register map is in docs/nvme.md.
 *
 * <p>{@link dev.peerbar.devices.nvme.NvmeEndpoint} declares the function and sorts register
 * accesses; the controller behind it lives on the function's thread. Queues, and the workers that
 * execute what lies in them, are in {@code queue} and {@code io}; what admin commands mean is in
 * {@code admin}; the formats of queue entries, for drivers too, in {@code entry}.
 */
package dev.peerbar.devices.nvme;
