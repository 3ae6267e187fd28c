/** The {@code flr} family: function-level resets, and what they must end. */
package dev.peerbar.scenario.flr;
