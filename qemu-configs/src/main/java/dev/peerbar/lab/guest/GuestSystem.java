package dev.peerbar.lab.guest;

import dev.peerbar.lab.uapi.Ioctl;
import dev.peerbar.linux.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/**
 * The guest's kernel by typed system calls: files, ioctls, mappings. A thin layer over {@link
 * GuestAgent}.
 */
public final class GuestSystem {
  private static final long AT_FDCWD = -100;
  private static final int CREATED_MODE = 0600;
  private static final int DIRECTORY_BUFFER = 32 << 10;
  private static final int FILE_STEP = 64 << 10;
  private static final int EFD_CLOEXEC = 02000000;
  private static final int SYSLOG_ACTION_READ_ALL = 3;
  private static final int LOG_BUFFER = 1 << 20;
  private static final int REBOOT_MAGIC = 0xfee1dead;
  private static final int REBOOT_MAGIC2 = 672274793;
  private static final int REBOOT_POWER_OFF = 0x4321fedc;

  /**
   * How long an ioctl may take: a function-level reset sleeps, and thousands of mappings under TCG
   * take their time.
   */
  private static final Duration IOCTL_LIMIT = Duration.ofSeconds(120);

  /** Flags of open(2). */
  public enum OpenFlag {
    WRITE_ONLY(01),
    READ_WRITE(02),
    CREATE(0100),
    TRUNCATE(01000),
    DIRECT(040000),
    DIRECTORY(0200000),
    /** A reference to where the file is, and nothing to read or write by. */
    PATH(010000000);

    private final int bits;

    OpenFlag(int bits) {
      this.bits = bits;
    }
  }

  /** Protection of a mapping. */
  public enum Protection {
    NONE(0),
    READ(1),
    READ_WRITE(3);

    private final int bits;

    Protection(int bits) {
      this.bits = bits;
    }

    int bits() {
      return bits;
    }
  }

  /** Flags of mmap(2). */
  public enum MapFlag {
    SHARED(01),
    PRIVATE(02),
    ANONYMOUS(040),
    POPULATE(0100000);

    private final int bits;

    MapFlag(int bits) {
      this.bits = bits;
    }
  }

  private static final int O_CLOEXEC = 02000000;
  private static final String OPEN_FILES = "/proc/self/fd";

  private final GuestAgent agent;

  public GuestSystem(GuestAgent agent) {
    this.agent = agent;
  }

  public GuestAgent agent() {
    return agent;
  }

  /** Opens a file, for reading unless the flags say otherwise, and close-on-exec. */
  public int open(String path, OpenFlag... flags) throws IOException {
    int bits = Arrays.stream(flags).mapToInt(f -> f.bits).reduce(O_CLOEXEC, (a, b) -> a | b);
    return agent
        .syscall(
            "open " + path,
            Syscall.OPENAT,
            IOCTL_LIMIT,
            Argument.of(AT_FDCWD),
            Argument.text(path),
            Argument.of(bits),
            Argument.of(CREATED_MODE))
        .asInt();
  }

  public void close(int fd) throws IOException {
    agent.syscall(Syscall.CLOSE, Argument.of(fd));
  }

  /**
   * An ioctl whose argument is a structure.
   *
   * @param argument what the call is given; replaced by what it left behind
   */
  public GuestAgent.Result ioctl(int fd, Ioctl request, byte[] argument) throws IOException {
    return ioctl(fd, request, Argument.inOut(argument));
  }

  /** An ioctl with a plain number, or none, for its argument. */
  public GuestAgent.Result ioctl(int fd, Ioctl request, long argument) throws IOException {
    return ioctl(fd, request, Argument.of(argument));
  }

  private GuestAgent.Result ioctl(int fd, Ioctl request, Argument argument) throws IOException {
    return agent.syscall(
        request.name(),
        Syscall.IOCTL,
        IOCTL_LIMIT,
        Argument.of(fd),
        Argument.of(request.number()),
        argument);
  }

  /**
   * Maps a file, or memory with fd -1 and {@link MapFlag#ANONYMOUS}; the address is in the agent's
   * process.
   */
  public long mmap(long length, Protection protection, Set<MapFlag> flags, int fd, long offset)
      throws IOException {
    int bits = flags.stream().mapToInt(f -> f.bits).sum();
    return agent
        .syscall(
            "mmap",
            Syscall.MMAP,
            IOCTL_LIMIT,
            Argument.of(0),
            Argument.of(length),
            Argument.of(protection.bits),
            Argument.of(bits),
            Argument.of(fd),
            Argument.of(offset))
        .value();
  }

  public void munmap(long address, long length) throws IOException {
    agent.syscall(Syscall.MUNMAP, Argument.of(address), Argument.of(length));
  }

  /** Up to {@code length} bytes at an offset of a file. */
  public byte[] pread(int fd, int length, long offset) throws IOException {
    byte[] bytes = new byte[length];
    int n =
        agent
            .syscall(
                Syscall.PREAD64,
                Argument.of(fd),
                Argument.out(bytes),
                Argument.of(length),
                Argument.of(offset))
            .asInt();
    return Arrays.copyOf(bytes, n);
  }

  /** Writes at an offset of a file; how many bytes were written. */
  public int pwrite(int fd, byte[] bytes, long offset) throws IOException {
    return agent
        .syscall(
            Syscall.PWRITE64,
            Argument.of(fd),
            Argument.in(bytes),
            Argument.of(bytes.length),
            Argument.of(offset))
        .asInt();
  }

  /** A new eventfd with count 0. */
  public int eventFd() throws IOException {
    return agent.syscall(Syscall.EVENTFD2, Argument.of(0), Argument.of(EFD_CLOEXEC)).asInt();
  }

  /** A new memfd of a size. */
  public int memfd(String name, long size) throws IOException {
    int fd = agent.syscall(Syscall.MEMFD_CREATE, Argument.text(name), Argument.of(1)).asInt();
    agent.syscall(Syscall.FTRUNCATE, Argument.of(fd), Argument.of(size));
    return fd;
  }

  /** All of a file, sysfs attributes included. */
  public byte[] readFile(String path) throws IOException {
    int fd = open(path);
    try {
      java.io.ByteArrayOutputStream all = new java.io.ByteArrayOutputStream();
      byte[] step;
      do {
        byte[] room = new byte[FILE_STEP];
        int n =
            agent
                .syscall(
                    "read " + path,
                    Syscall.READ,
                    IOCTL_LIMIT,
                    Argument.of(fd),
                    Argument.out(room),
                    Argument.of(room.length))
                .asInt();
        step = Arrays.copyOf(room, n);
        all.writeBytes(step);
      } while (step.length > 0);
      return all.toByteArray();
    } finally {
      close(fd);
    }
  }

  /** The text of a file without white space at its ends. */
  public String readText(String path) throws IOException {
    return new String(readFile(path), StandardCharsets.UTF_8).strip();
  }

  /** Writes a text into a file that exists, as {@code echo} would into a sysfs attribute. */
  public void writeText(String path, String text) throws IOException {
    int fd = open(path, OpenFlag.WRITE_ONLY);
    try {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      agent.syscall(
          "write " + path,
          Syscall.WRITE,
          IOCTL_LIMIT,
          Argument.of(fd),
          Argument.in(bytes),
          Argument.of(bytes.length));
    } finally {
      close(fd);
    }
  }

  /** What a symbolic link says. */
  public String readLink(String path) throws IOException {
    byte[] target = new byte[4096];
    int n =
        agent
            .syscall(
                "readlink " + path,
                Syscall.READLINK,
                IOCTL_LIMIT,
                Argument.text(path),
                Argument.out(target),
                Argument.of(target.length))
            .asInt();
    return new String(target, 0, n, StandardCharsets.UTF_8);
  }

  /** The names in a directory, sorted. */
  public List<String> list(String path) throws IOException {
    int fd = open(path, OpenFlag.DIRECTORY);
    try {
      List<String> names = new ArrayList<>();
      while (true) {
        byte[] entries = new byte[DIRECTORY_BUFFER];
        int n =
            agent
                .syscall(
                    Syscall.GETDENTS64,
                    Argument.of(fd),
                    Argument.out(entries),
                    Argument.of(entries.length))
                .asInt();
        if (n == 0) {
          names.sort(null);
          return names;
        }
        addNames(ByteBuffer.wrap(entries, 0, n).order(ByteOrder.LITTLE_ENDIAN), names);
      }
    } finally {
      close(fd);
    }
  }

  // struct linux_dirent64: u64 inode, s64 offset, u16 length of the record, u8 type, NUL-terminated
  // name.
  private static void addNames(ByteBuffer entries, List<String> names) {
    while (entries.hasRemaining()) {
      int start = entries.position();
      int length = Short.toUnsignedInt(entries.getShort(start + 16));
      int end = start + 19;
      while (entries.get(end) != 0) {
        end++;
      }
      String name =
          new String(entries.array(), start + 19, end - start - 19, StandardCharsets.UTF_8);
      if (!name.equals(".") && !name.equals("..")) {
        names.add(name);
      }
      entries.position(start + length);
    }
  }

  /** Removes a file, if it is there. */
  public void remove(String path) throws IOException {
    try {
      agent.syscall(Syscall.UNLINK, Argument.text(path));
    } catch (GuestErrnoException e) {
      if (!e.is(Errno.ENOENT)) {
        throw e;
      }
    }
  }

  /** Whether a path can be opened. */
  public boolean exists(String path) throws IOException {
    try {
      close(open(path));
      return true;
    } catch (GuestErrnoException e) {
      // A device's file is there a moment before the device is, and after it.
      if (e.is(Errno.ENOENT) || e.is(Errno.ENXIO)) {
        return false;
      }
      if (e.is(Errno.EACCES)) {
        return true; // a sysfs attribute that can only be written
      }
      throw e;
    }
  }

  /**
   * The kernel's log so far, a line a message, each with its level in angle brackets ({@code
   * syslog(2)}).
   */
  public String kernelLog() throws IOException {
    byte[] log = new byte[LOG_BUFFER];
    int n =
        agent
            .syscall(
                Syscall.SYSLOG,
                Argument.of(SYSLOG_ACTION_READ_ALL),
                Argument.out(log),
                Argument.of(log.length))
            .asInt();
    return new String(log, 0, n, StandardCharsets.UTF_8);
  }

  /**
   * The open files of the agent, by descriptor: those that calls have left open, the standard three
   * and the agent's port. Files that other threads' calls have open only just now may be among
   * them.
   */
  public List<OpenFile> openFiles() throws IOException {
    List<OpenFile> all = new ArrayList<>();
    for (String fd : list(OPEN_FILES)) {
      try {
        all.add(new OpenFile(Integer.parseInt(fd), readLink(OPEN_FILES + "/" + fd)));
      } catch (GuestErrnoException e) {
        if (!e.is(Errno.ENOENT)) { // the directory itself, for one
          throw e;
        }
      }
    }
    all.sort(Comparator.comparing(OpenFile::fd));
    return List.copyOf(all);
  }

  /** All DMABUFs of the guest's kernel. */
  public List<DmaBufObject> dmaBufs() throws IOException {
    return DmaBufObject.parse(readText("/sys/kernel/debug/dma_buf/bufinfo"));
  }

  /** The interrupts of the guest, in the kernel's order. */
  public List<InterruptLine> interrupts() throws IOException {
    return InterruptLine.parse(readText("/proc/interrupts"));
  }

  /** What is mounted, in the order in which it was. */
  public List<Mount> mounts() throws IOException {
    return Mount.parse(readText("/proc/self/mounts"));
  }

  /** Turns the guest off. QEMU ends, and the agent with it: nothing can be called afterwards. */
  public void powerOff() throws IOException {
    agent.syscall(Syscall.SYNC);
    try {
      agent.syscall(
          "reboot",
          Syscall.REBOOT,
          IOCTL_LIMIT,
          Argument.of(REBOOT_MAGIC),
          Argument.of(REBOOT_MAGIC2),
          Argument.of(REBOOT_POWER_OFF));
    } catch (GuestGoneException expected) {
      // The answer that a guest which has gone can give.
    }
  }
}
