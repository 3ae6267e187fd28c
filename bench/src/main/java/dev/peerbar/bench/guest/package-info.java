/**
 * What endpoints cost in a booted guest, beside devices that QEMU has itself. Time is taken in the
 * guest.
 */
package dev.peerbar.bench.guest;
