/**
 * A Netty channel over a Unix stream socket that receives and sends file descriptors together with
 * bytes, and the decoder that makes frames of them.
 *
 * <p>Runs on a {@link dev.peerbar.protocol.socket.SocketEventLoop}. A pipeline is a {@link
 * dev.peerbar.protocol.socket.FrameDecoder} and what handles {@link dev.peerbar.protocol.Frame}s;
 * frames to be sent are written to the channel as they are.
 */
package dev.peerbar.protocol.socket;
