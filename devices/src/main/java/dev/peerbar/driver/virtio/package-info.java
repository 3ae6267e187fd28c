/** A driver for virtio endpoints, whatever device is behind. */
package dev.peerbar.driver.virtio;
