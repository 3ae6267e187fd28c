/**
 * A driver of NVMe controllers, run from the host: its loads, stores and interrupts happen in the
 * guest, through vfio-pci.
 *
 * <p>{@link dev.peerbar.lab.nvme.NvmeDevice} brings a controller up and has its admin queue, {@link
 * dev.peerbar.lab.nvme.NvmeQueue} is a pair of I/O queues wherever they lie, {@link
 * dev.peerbar.lab.nvme.PeerInitiator} has an HBM endpoint put commands into one and ring.
 */
package dev.peerbar.lab.nvme;
