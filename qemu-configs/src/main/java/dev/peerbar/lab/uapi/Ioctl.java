package dev.peerbar.lab.uapi;

/**
 * An ioctl request: what it is called in the kernel's headers and its number, built as {@code
 * asm-generic/ioctl.h} does.
 *
 * @param name the macro's name, for messages
 * @param number the request as {@code ioctl(2)} takes it, an unsigned 32-bit number
 */
public record Ioctl(String name, long number) {
  private static final int TYPE_SHIFT = 8;
  private static final int SIZE_SHIFT = 16;
  private static final int DIRECTION_SHIFT = 30;
  private static final long WRITE = 1;
  private static final long READ = 2;

  /** {@code _IO(type, number)}: the size of the argument is not part of the request. */
  static Ioctl io(String name, char type, int number) {
    return new Ioctl(name, encode(0, type, number, 0));
  }

  /** {@code _IOW(type, number, size)}: user space gives {@code size} bytes. */
  static Ioctl iow(String name, char type, int number, int size) {
    return new Ioctl(name, encode(WRITE, type, number, size));
  }

  /** {@code _IOWR(type, number, size)}: user space gives {@code size} bytes and gets them back. */
  static Ioctl iowr(String name, char type, int number, int size) {
    return new Ioctl(name, encode(READ | WRITE, type, number, size));
  }

  private static long encode(long direction, char type, int number, int size) {
    return direction << DIRECTION_SHIFT
        | (long) size << SIZE_SHIFT
        | (long) type << TYPE_SHIFT
        | number;
  }

  @Override
  public String toString() {
    return name;
  }
}
