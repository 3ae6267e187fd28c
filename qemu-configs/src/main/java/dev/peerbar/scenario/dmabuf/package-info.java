/** BARs as DMABUFs. */
package dev.peerbar.scenario.dmabuf;
