/** Tests that send what chance or a fuzzer makes up, and the corpus of what was worth keeping. */
package dev.peerbar.server.fuzz;
