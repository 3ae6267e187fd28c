/**
 * {@code peerbar bench}: what it costs. Every figure stands beside a floor of the same run: what a
 * bare socket, or a plain copy, costs on this machine at this moment.
 */
package dev.peerbar.bench;
