/**
 * The {@code importer} family: a virtio-gpu's stock driver, which takes DMABUFs of a peer's BAR.
 */
package dev.peerbar.scenario.importer;
