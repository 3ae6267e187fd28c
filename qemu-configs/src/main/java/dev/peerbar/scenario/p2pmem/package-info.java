/**
 * The {@code p2pmem} family: the kernel lends a controller's memory to programs and to other
 * controllers.
 */
package dev.peerbar.scenario.p2pmem;
