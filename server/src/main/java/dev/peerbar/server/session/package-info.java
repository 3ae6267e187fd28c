/**
 * One client's connection: negotiation, what each command does, and the messages that the function
 * sends to it. All on the function's thread.
 */
package dev.peerbar.server.session;
