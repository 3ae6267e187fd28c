/** A booted guest: QEMU, the connection to the agent inside, and what may not be in their logs. */
package dev.peerbar.lab.boot;
