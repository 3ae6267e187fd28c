/**
 * Virtio (Virtual I/O Device, version 1.3) over PCI: what all virtio devices share.
 *
 * <p>A device is a {@link dev.peerbar.virtio.VirtioDevice}; the transport makes an endpoint of it.
 */
package dev.peerbar.virtio;
