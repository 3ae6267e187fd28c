package dev.peerbar.lab.guest;

import java.io.IOException;

/** A load or store in the guest ended in a signal. The guest and its agent go on. */
public final class GuestFaultException extends IOException {
  private static final long serialVersionUID = 1;

  /** What the kernel sent. */
  public enum Signal {
    SIGBUS(7),
    SIGSEGV(11);

    private final int number;

    Signal(int number) {
      this.number = number;
    }

    static Signal of(int number) {
      for (Signal s : values()) {
        if (s.number == number) {
          return s;
        }
      }
      throw new IllegalArgumentException("signal " + number);
    }
  }

  private final Signal signal;
  private final long address;

  GuestFaultException(Signal signal, long address) {
    super("%s at 0x%x".formatted(signal, address));
    this.signal = signal;
    this.address = address;
  }

  public Signal signal() {
    return signal;
  }

  /** The guest's virtual address that was accessed. */
  public long address() {
    return address;
  }
}
