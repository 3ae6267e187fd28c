/**
 * Serving: one {@link dev.peerbar.server.EndpointServer} for each endpoint, with a thread of its
 * own.
 */
package dev.peerbar.server;
