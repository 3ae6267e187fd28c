/** The {@code stock} family: NVMe endpoints under the driver that the guest's kernel has. */
package dev.peerbar.scenario.stock;
