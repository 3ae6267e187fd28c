/**
 * {@code peerbar probe}: asks a vfio-user server for all it says of its device, writes nothing, and
 * shows it as {@code lspci -vv} would.
 *
 * <p>{@link dev.peerbar.probe.SnapshotReader} asks, {@link dev.peerbar.probe.Snapshot} is what was
 * answered, the capability classes decode config space into {@link dev.peerbar.probe.Register}s,
 * and {@link dev.peerbar.probe.TextReport} and {@link dev.peerbar.probe.JsonReport} print. Words
 * and layout are those of lspci 3.9.
 */
package dev.peerbar.probe;
