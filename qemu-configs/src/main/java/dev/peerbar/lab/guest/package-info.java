/**
 * The guest from the host: its agent ({@code guest/agent.c}), and through that its system calls,
 * memory, programs and PCI functions.
 *
 * <p>Every call is bounded in time. What the guest's kernel refuses is a {@link
 * dev.peerbar.lab.guest.GuestErrnoException}, an access that faulted is a {@link
 * dev.peerbar.lab.guest.GuestFaultException}, and a guest that no longer answers is an {@link
 * java.io.IOException}.
 */
package dev.peerbar.lab.guest;
