/**
 * The admin command set (NVMe 1.4 5): what admin commands mean, and what the controller says of
 * itself. All on the function's thread.
 *
 * <p>{@link dev.peerbar.devices.nvme.admin.AdminCommands} belongs to one generation of the
 * controller, and so do its features and asynchronous events; the logs outlive it.
 */
package dev.peerbar.devices.nvme.admin;
