package dev.peerbar.lab.guest;

import java.util.Locale;

/** System calls of x86-64 Linux that the lab makes ({@code asm/unistd_64.h}). */
public enum Syscall {
  READ(0),
  WRITE(1),
  CLOSE(3),
  LSEEK(8),
  MMAP(9),
  MPROTECT(10),
  MUNMAP(11),
  IOCTL(16),
  PREAD64(17),
  PWRITE64(18),
  MREMAP(25),
  MADVISE(28),
  GETPID(39),
  SENDFILE(40),
  WAIT4(61),
  KILL(62),
  FCNTL(72),
  FTRUNCATE(77),
  MKDIR(83),
  UNLINK(87),
  READLINK(89),
  SYSLOG(103),
  MKNOD(133),
  MLOCK(149),
  SYNC(162),
  MOUNT(165),
  UMOUNT2(166),
  REBOOT(169),
  GETDENTS64(217),
  CLOCK_GETTIME(228),
  OPENAT(257),
  VMSPLICE(278),
  EVENTFD2(290),
  PIPE2(293),
  PRLIMIT64(302),
  PROCESS_VM_READV(310),
  PROCESS_VM_WRITEV(311),
  MEMFD_CREATE(319),
  MEMBARRIER(324);

  private final int number;

  Syscall(int number) {
    this.number = number;
  }

  int number() {
    return number;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
