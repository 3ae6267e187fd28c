/**
 * The client's memory as the device may touch it: what is mapped, through which file, and the
 * copying.
 *
 * <p>The function's thread changes the {@link dev.peerbar.server.dma.DmaTable}; engines look things
 * up and copy in steps of bounded length inside a {@link dev.peerbar.server.dma.Gate}, so that the
 * function's thread can wait for what is in flight. Memory that came without a descriptor is
 * reached through {@link dev.peerbar.server.dma.MessagePath}.
 */
package dev.peerbar.server.dma;
