/**
 * One endpoint as the server holds it: its regions, its interrupts, its engines, its resets.
 * Nothing here knows the socket; everything but the engines' work happens on the function's thread.
 */
package dev.peerbar.server.function;
