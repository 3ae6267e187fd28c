/** The commands that try scenarios, or show some of them. */
package dev.peerbar.scenario.command;
