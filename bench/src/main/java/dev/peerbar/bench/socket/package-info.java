/** Benchmarks of messages over the socket. */
package dev.peerbar.bench.socket;
