/** The {@code p2p} family: one endpoint masters the bus, another is its target. */
package dev.peerbar.scenario.p2p;
