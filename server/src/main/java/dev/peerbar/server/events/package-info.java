/**
 * What can be seen of a running server: messages, DMA transfers, resets, interrupts. Each is an
 * event of the JDK's flight recorder, and whoever {@linkplain dev.peerbar.server.events.Observers
 * observes} is told of it as well: one place of instrumentation for both. With neither, an event
 * costs two reads and a branch, and allocates nothing.
 */
package dev.peerbar.server.events;
