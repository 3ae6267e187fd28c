/**
 * A driver's view of a function over vfio-user: {@link dev.peerbar.driver.socket.SocketDevice}. It
 * is the client's side of the wire, and knows nothing of this program's own server.
 */
package dev.peerbar.driver.socket;
