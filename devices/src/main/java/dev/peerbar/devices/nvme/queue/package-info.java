/**
 * The queues of an NVMe controller: fetching, arbitration, data pointers and completions.
 * Everything between a CC.EN set and the end of what it began is one {@link
 * dev.peerbar.devices.nvme.queue.QueueSet}; what the commands mean is decided by an {@link
 * dev.peerbar.devices.nvme.queue.AdminHandler} and an {@link
 * dev.peerbar.devices.nvme.queue.IoHandler}.
 */
package dev.peerbar.devices.nvme.queue;
