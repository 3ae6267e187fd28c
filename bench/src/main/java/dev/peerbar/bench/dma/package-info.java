/** DMA mappings, bus mastering and interrupts. */
package dev.peerbar.bench.dma;
