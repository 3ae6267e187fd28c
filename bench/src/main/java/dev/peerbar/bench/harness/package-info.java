/**
 * How things are compared: side by side, by turns, in one process. Machines are shared and noisy,
 * so a figure is the ratio of two sides that ran within milliseconds of each other.
 */
package dev.peerbar.bench.harness;
