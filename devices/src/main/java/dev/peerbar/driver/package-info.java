/**
 * What a driver sees of a function, wherever the function is: config space, BARs, memory that both
 * reach, interrupts, reset. Drivers are written on {@link dev.peerbar.driver.Device} once, and run
 * in process, over a vfio-user socket and in a guest.
 */
package dev.peerbar.driver;
