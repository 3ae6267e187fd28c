/** Endpoints that misbehave. */
package dev.peerbar.scenario.fault;
