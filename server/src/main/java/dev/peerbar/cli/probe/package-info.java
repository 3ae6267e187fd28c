/**
 * {@code peerbar probe}: asks a vfio-user server for all it says of its device, writes nothing, and
 * shows it as {@code lspci -vv} would.
 *
 * <p>{@link dev.peerbar.cli.probe.SnapshotReader} asks, {@link dev.peerbar.cli.probe.Snapshot} is
 * what was answered, the capability classes decode config space into {@link
 * dev.peerbar.cli.probe.Register}s, and {@link dev.peerbar.cli.probe.TextReport} and {@link
 * dev.peerbar.cli.probe.JsonReport} print. Words and layout are those of lspci 3.9.
 */
package dev.peerbar.cli.probe;
