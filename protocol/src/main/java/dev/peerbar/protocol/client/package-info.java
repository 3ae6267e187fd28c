/**
 * A client of vfio-user servers, for tools, tests and benchmarks: {@link
 * dev.peerbar.protocol.client.VfioUserClient}.
 *
 * <p>Calls block, for a bounded time. It is not what a virtual machine monitor would want.
 */
package dev.peerbar.protocol.client;
