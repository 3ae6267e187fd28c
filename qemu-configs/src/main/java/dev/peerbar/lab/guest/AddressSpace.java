package dev.peerbar.lab.guest;

import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** The address space of the guest's agent: what is mapped where, and calls that change it. */
public final class AddressSpace {
  private static final int SHARED = 01;
  private static final int FIXED = 020;

  /** Counted from the state. */
  private static final int MINOR_FAULTS = 7;

  private final GuestSystem system;

  public AddressSpace(Guest guest) {
    system = guest.system();
  }

  /**
   * A line of {@code /proc/self/maps}.
   *
   * @param start first byte
   * @param end first byte behind it
   * @param rights such as {@code rw-s}
   * @param name of what is mapped, such as a path; empty for plain memory
   */
  public record Area(long start, long end, String rights, String name) {
    static Area parse(String line) {
      // Range, rights, offset, device and inode, and a name that may have blanks or not be there.
      String[] fields = line.split(" +", 6);
      String[] range = fields[0].split("-");
      return new Area(
          Long.parseUnsignedLong(range[0], 16),
          Long.parseUnsignedLong(range[1], 16),
          fields[1],
          fields.length == 6 ? fields[5].strip() : "");
    }

    @Override
    public String toString() {
      return "%x-%x %s %s".formatted(start, end, rights, name);
    }
  }

  /** What is mapped, by address. */
  public List<Area> areas() throws IOException {
    return system.readText("/proc/self/maps").lines().map(Area::parse).toList();
  }

  /** What is mapped at an address. */
  public Optional<Area> areaAt(long address) throws IOException {
    return areas().stream().filter(a -> a.start <= address && address < a.end).findFirst();
  }

  /**
   * How many page faults the agent's threads have had that brought no page from a disk ({@code
   * /proc/self/stat}). Few of them are had by what is not asked for.
   */
  public long faults() throws IOException {
    String stat = system.readText("/proc/self/stat");
    // The program's name, in parentheses, may have blanks; the state is the first field after it.
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    return Long.parseLong(fields[MINOR_FAULTS]);
  }

  /** Maps a file, shared and for reading and writing, in the place of what is mapped there. */
  public void replace(GuestMemory what, int fd, long offset) throws IOException {
    system
        .agent()
        .syscall(
            Syscall.MMAP,
            Argument.of(what.address()),
            Argument.of(what.length()),
            Argument.of(GuestSystem.Protection.READ_WRITE.bits()),
            Argument.of(SHARED | FIXED),
            Argument.of(fd),
            Argument.of(offset));
  }

  /** Changes what may be done with part of a mapping. */
  public void protect(long address, long length, GuestSystem.Protection protection)
      throws IOException {
    system
        .agent()
        .syscall(
            Syscall.MPROTECT,
            Argument.of(address),
            Argument.of(length),
            Argument.of(protection.bits()));
  }

  /** How a mapping is moved ({@code mremap(2)}). */
  public enum Move {
    /** It stays where it is. */
    NOT(0),
    /** It may go anywhere. */
    ANYWHERE(1),
    /** It goes to a given place, from which whatever is mapped there is removed. */
    TO(3);

    private final int flags;

    Move(int flags) {
      this.flags = flags;
    }
  }

  /**
   * Moves or resizes a mapping.
   *
   * @param to where to, for {@link Move#TO}
   * @return where it is then
   */
  public long remap(long address, long length, long newLength, Move move, long to)
      throws IOException {
    return system
        .agent()
        .syscall(
            Syscall.MREMAP,
            Argument.of(address),
            Argument.of(length),
            Argument.of(newLength),
            Argument.of(move.flags),
            Argument.of(to))
        .value();
  }
}
