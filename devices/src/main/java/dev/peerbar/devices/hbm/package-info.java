/**
 * The HBM endpoint: a large memory behind a BAR, and DMA channels that move data between it, guest
 * memory and other devices' BARs. Its register map is in docs/hbm.md.
 *
 * <p>{@link dev.peerbar.devices.hbm.HbmEndpoint} answers for the registers, a channel each for its
 * own; a run of a channel executes descriptors on the channel's engine. Only values cross between
 * the two threads.
 */
package dev.peerbar.devices.hbm;
