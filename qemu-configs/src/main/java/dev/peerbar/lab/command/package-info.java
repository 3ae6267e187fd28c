/** The commands of the lab. */
package dev.peerbar.lab.command;
