/** The commands: argument parsing, messages for people, exit codes. */
package dev.peerbar.cli;
