/** Graphics cards of the guest, under the driver that its kernel has for them. */
package dev.peerbar.lab.drm;
