package dev.peerbar.server.session;

/**
 * What the client said it can take.
 *
 * @param major version
 * @param minor version
 * @param maxDescriptors of one message
 * @param maxDataTransfer of one message, in bytes
 */
record ClientLimits(int major, int minor, int maxDescriptors, int maxDataTransfer) {}
