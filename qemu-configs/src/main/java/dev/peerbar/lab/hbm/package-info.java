/**
 * A driver of the HBM endpoint, run from the host: its loads, stores and interrupts happen in the
 * guest.
 */
package dev.peerbar.lab.hbm;
