/**
 * Where endpoints with blocks keep them. A {@link dev.peerbar.storage.Storage} is bytes of a fixed
 * size that any thread reads and writes; it knows neither the devices in front of it nor where its
 * bytes end up.
 */
package dev.peerbar.storage;
