/** Which scenarios there are. */
package dev.peerbar.scenario.suite;
