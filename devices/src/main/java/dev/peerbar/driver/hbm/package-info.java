/**
 * The driver of the HBM endpoint: {@link dev.peerbar.driver.hbm.HbmDriver} has its registers and
 * interrupts, {@link dev.peerbar.driver.hbm.HbmChannel} a channel's ring. Descriptors are made by
 * {@link dev.peerbar.devices.hbm.Descriptor}.
 */
package dev.peerbar.driver.hbm;
