package dev.peerbar.server.session;

/**
 * What the client said it can take. The number of its mappings and their page sizes are not among
 * it: the client makes the mappings, and so keeps to what this server says of both.
 *
 * @param major version
 * @param minor version
 * @param maxDescriptors of one message to the client
 * @param maxDataTransfer that this server may ask for, or send, in one request of its own, in
 *     bytes; what the client itself asks for is not limited by it (vfio-user, Read and Write
 *     Operations: "the peer")
 * @param twinSocket whether the client can have this server's requests on a second socket, and
 *     wants to
 */
record ClientLimits(
    int major, int minor, int maxDescriptors, int maxDataTransfer, boolean twinSocket) {}
