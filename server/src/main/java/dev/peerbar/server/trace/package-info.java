/** A trace file of what a server does, for Perfetto and Chrome to show. */
package dev.peerbar.server.trace;
