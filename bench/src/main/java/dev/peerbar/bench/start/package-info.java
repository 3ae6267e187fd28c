/** How fast the program starts. */
package dev.peerbar.bench.start;
