/** The {@code ioat} family: an I/OAT endpoint, by its kernel's driver and by one in user space. */
package dev.peerbar.scenario.ioat;
