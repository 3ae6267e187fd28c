/** Who may reach whom, and by which route. */
package dev.peerbar.scenario.topology;
