/** Endpoints under the drivers that the guest's kernel has for them. */
package dev.peerbar.lab.scenario.stock;
