/** Pictures of a running endpoint's outputs. */
package dev.peerbar.server.screenshot;
