/** Endpoints that are broken on purpose, to see that a scenario notices. */
package dev.peerbar.scenario.mutant;
