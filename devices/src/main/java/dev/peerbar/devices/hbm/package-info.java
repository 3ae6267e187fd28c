/**
 * The HBM endpoint: a large memory behind a BAR, and DMA channels that move data between it, guest
 * memory and other devices' BARs. Its register map is in docs/hbm.md.
 *
 * <p>{@link dev.peerbar.devices.hbm.HbmEndpoint} answers for the registers, a channel each for its
 * own. The rings are gone through by {@link dev.peerbar.engine.DmaChannel}; what is this endpoint's
 * own on an engine's thread is what a descriptor means.
 */
package dev.peerbar.devices.hbm;
