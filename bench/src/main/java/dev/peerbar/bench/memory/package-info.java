/** Memory that the client and the endpoint share. */
package dev.peerbar.bench.memory;
