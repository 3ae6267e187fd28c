package dev.peerbar.lab.guest;

import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A process with a copy of the agent's memory and all of its open files, as {@code fork(2)} makes
 * one: a new one for each access, which ends then.
 */
public final class Child {
  private final GuestAgent agent;

  public Child(Guest guest) {
    agent = guest.agent();
  }

  /**
   * One load instruction, zero-extended.
   *
   * @param address where, in the agent's and so in the child's address space
   * @throws GuestFaultException if it faulted
   */
  public long load(long address, AccessWidth width) throws IOException {
    return access(address, width, 0, 0);
  }

  /**
   * One store instruction.
   *
   * @param address where, in the agent's and so in the child's address space
   * @throws GuestFaultException if it faulted
   */
  public void store(long address, AccessWidth width, long value) throws IOException {
    access(address, width, 1, value);
  }

  private long access(long address, AccessWidth width, int store, long value) throws IOException {
    ByteBuffer request =
        GuestCalls.buffer(24).putLong(address).putInt(width.bytes()).putInt(store).putLong(value);
    String verb = store == 0 ? "load in a child" : "store in a child";
    return agent
        .call(Operation.IN_CHILD, request, verb, width.bytes(), address)
        .make(ByteBuffer::getLong);
  }
}
