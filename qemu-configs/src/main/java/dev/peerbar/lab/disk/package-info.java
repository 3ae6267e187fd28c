/** Disks of the guest as its own drivers have them, and the programs that exercise them. */
package dev.peerbar.lab.disk;
