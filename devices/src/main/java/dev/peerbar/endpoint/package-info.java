/**
 * What a device author writes and is given: the whole of the service provider interface.
 *
 * <p>Every method of an {@link dev.peerbar.endpoint.Endpoint} runs on one thread, the function's
 * own; state that only these methods touch needs no lock. Work that may wait (bus mastering above
 * all) runs on an {@link dev.peerbar.endpoint.Engine} and comes back with {@link
 * dev.peerbar.endpoint.Job#update}.
 */
package dev.peerbar.endpoint;
