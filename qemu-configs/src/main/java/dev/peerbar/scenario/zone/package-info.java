/** BARs with struct pages. */
package dev.peerbar.scenario.zone;
