/**
 * What DMA engines have in common, so that a device's own code says only what its descriptors mean.
 *
 * <p>A {@link dev.peerbar.engine.DmaChannel} is the loop: it fetches descriptors from a {@link
 * dev.peerbar.engine.DescriptorSource} (a {@link dev.peerbar.engine.Ring} or a {@link
 * dev.peerbar.engine.Chain}), has a {@link dev.peerbar.engine.DescriptorHandler} carry out and
 * complete each, counts it and signals its interrupt. {@link dev.peerbar.engine.Moves} moves bytes
 * between client memory and the endpoint's own, a {@link dev.peerbar.engine.CompletionWriter} says
 * that something is complete, {@link dev.peerbar.engine.Scratch} is what an engine does that with,
 * and a {@link dev.peerbar.engine.Guard} makes whatever goes wrong an error of the device. A device
 * with a loop of its own uses these parts without the channel.
 */
package dev.peerbar.engine;
