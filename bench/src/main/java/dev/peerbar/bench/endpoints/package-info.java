/** Many endpoints in one process. */
package dev.peerbar.bench.endpoints;
