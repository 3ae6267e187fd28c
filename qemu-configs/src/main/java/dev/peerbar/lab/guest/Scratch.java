package dev.peerbar.lab.guest;

import java.io.IOException;

/**
 * Memory of the agent for what an argument of a system call points to in its turn, such as an array
 * in a structure. It is its owner's until it is closed; if by then a call has been given up that
 * may still use it, it stays unused until that has ended in the guest.
 */
public final class Scratch implements AutoCloseable {
  private final GuestAgent agent;
  private final long address;
  private final int length;
  private final Runnable giveBack;

  Scratch(GuestAgent agent, long address, int length, Runnable giveBack) {
    this.agent = agent;
    this.address = address;
    this.length = length;
    this.giveBack = giveBack;
  }

  /** Where it begins, a multiple of 64. */
  public long address() {
    return address;
  }

  /** What is there now; not zero until somebody has written it. */
  public byte[] read() throws IOException {
    return agent.read(address, length);
  }

  @Override
  public void close() {
    giveBack.run();
  }
}
