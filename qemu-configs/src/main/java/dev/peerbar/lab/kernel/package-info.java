/**
 * The guest's kernel, when it is the user's own: what its configuration says, what of {@code
 * kernel/p2p.config} it lacks, and which of its modules a guest has to load.
 */
package dev.peerbar.lab.kernel;
