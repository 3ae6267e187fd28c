/**
 * The host's side of the guest agent ({@code guest/agent.c}): connection, raw system calls, memory,
 * files of the guest.
 *
 * <p>Every call is bounded in time. What the guest's kernel refuses is a {@link
 * dev.peerbar.lab.guest.GuestErrnoException}, an access that faulted is a {@link
 * dev.peerbar.lab.guest.GuestFaultException}, and a guest that no longer answers is an {@link
 * java.io.IOException}.
 */
package dev.peerbar.lab.guest;
