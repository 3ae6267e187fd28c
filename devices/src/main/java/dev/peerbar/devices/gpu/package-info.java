/**
 * The virtio-gpu device: outputs, 2D resources, blobs in guest memory, cursors, after the GPU
 * Device of Virtual I/O Device 1.3 (5.7). What it answers to which command is in docs/gpu.md.
 *
 * <p>{@link dev.peerbar.devices.gpu.GpuDevice} is what the transport sees, and who shows what the
 * outputs show. Commands are carried out on the engine's thread, which both queues share: what a
 * driver has made, from one reset to the next, belongs to that thread alone and is left behind by a
 * reset. What others see of it, the pictures, never changes once it is published.
 */
package dev.peerbar.devices.gpu;
