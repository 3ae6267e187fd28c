/** QEMU: its command line from a topology file, its process, its monitor (QMP). */
package dev.peerbar.lab.qemu;
