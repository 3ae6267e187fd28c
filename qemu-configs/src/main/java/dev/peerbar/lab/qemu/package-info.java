/**
 * QEMU: its command line from a topology file, its process, its monitor (QMP), and what it and the
 * guest's kernel print.
 */
package dev.peerbar.lab.qemu;
