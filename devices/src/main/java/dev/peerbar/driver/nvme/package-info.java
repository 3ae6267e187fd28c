/**
 * The driver of NVMe controllers.
 *
 * <p>{@link dev.peerbar.driver.nvme.NvmeDriver} brings a controller up and has its admin queue,
 * {@link dev.peerbar.driver.nvme.NvmeQueue} is a pair of queues wherever they lie, {@link
 * dev.peerbar.driver.nvme.Doorbells} is how they are rung, {@link
 * dev.peerbar.driver.nvme.PeerInitiator} has an HBM endpoint put commands into one and ring.
 */
package dev.peerbar.driver.nvme;
