/**
 * Endpoints that misbehave because they were told to: {@link dev.peerbar.server.fault.Fault} is
 * what can go wrong, {@link dev.peerbar.server.fault.Faults} has it go wrong and right again.
 */
package dev.peerbar.server.fault;
