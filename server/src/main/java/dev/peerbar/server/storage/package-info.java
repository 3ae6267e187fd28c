/**
 * What endpoints keep their blocks in, on this machine: {@link
 * dev.peerbar.server.storage.ImageFile}, and {@link dev.peerbar.server.storage.HostMemory} for
 * {@link dev.peerbar.storage.MemoryStorage}.
 */
package dev.peerbar.server.storage;
