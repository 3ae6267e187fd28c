/**
 * Virtio (Virtual I/O Device, version 1.3) over PCI: what all virtio devices share.
 *
 * <p>A device is a {@link dev.peerbar.virtio.VirtioDevice}; {@link
 * dev.peerbar.virtio.VirtioPciEndpoint} makes an endpoint of it. What registers and rings look like
 * is in {@link dev.peerbar.virtio.VirtioPci} and {@link dev.peerbar.virtio.SplitRing}, for drivers
 * too.
 */
package dev.peerbar.virtio;
