package dev.peerbar.lab.guest;

import java.time.Duration;

/**
 * A thread of the guest's agent that has a call under way, and where it was in the guest's kernel
 * when it was asked.
 *
 * @param id of the thread in the guest
 * @param call what it does
 * @param since how long it has been at it, by the guest's clock
 * @param waitingIn the kernel function that it sleeps in ({@code wchan}); {@code 0} if it does not,
 *     empty if the kernel does not say
 * @param systemCall number and arguments in hexadecimal ({@code syscall}); {@code running} if it
 *     does not sleep, empty if the kernel does not say
 * @param stack a kernel function a line, innermost first; empty if the kernel does not say
 */
public record GuestThread(
    int id, CallRecord call, Duration since, String waitingIn, String systemCall, String stack) {

  /** What it does and where it is, a line each; then its stack. */
  @Override
  public String toString() {
    return "thread %d for %s: %s%n  in %s, system call %s%s"
        .formatted(
            id,
            Words.of(since),
            call,
            waitingIn.isEmpty() ? "?" : waitingIn,
            systemCall.isEmpty() ? "?" : systemCall,
            stack.isEmpty() ? "" : "\n" + stack.indent(4).stripTrailing());
  }
}
