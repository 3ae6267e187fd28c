/**
 * The kernel's user-space interface as the lab speaks it: ioctl numbers and the structures they
 * carry, for vfio, iommufd and DMABUF, after {@code include/uapi/linux/{vfio,iommufd,dma-buf}.h}.
 *
 * <p>Each structure is a record; {@code encode()} makes the bytes that the ioctl is given,
 * little-endian with the kernel's own layout, and {@code decode} reads those that it left behind.
 * Nothing here makes a call.
 */
package dev.peerbar.lab.uapi;
