/** The program's commands on scenarios. */
package dev.peerbar.scenario.command;
