/** A driver for the I/OAT endpoint. */
package dev.peerbar.driver.ioat;
