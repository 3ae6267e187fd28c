package dev.peerbar.lab.guest;

import dev.peerbar.linux.Errno;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A program that runs in the guest. Closing it ends it, and whatever it started, if it still runs.
 */
public final class GuestProgram implements AutoCloseable {
  /** The shell that sorts the program's outputs becomes the program. */
  private static final String REDIRECT = "out=$1; err=$2; shift 2; exec \"$@\" >$out 2>$err";

  private static final int SIGINT = 2;
  private static final int SIGKILL = 9;

  private final GuestSystem system;
  private final List<String> words;
  private final String output;
  private final int pid;
  private Outcome outcome;

  private GuestProgram(GuestSystem system, List<String> words, String output, int pid) {
    this.system = system;
    this.words = words;
    this.output = output;
    this.pid = pid;
  }

  /**
   * What a program left when it ended.
   *
   * @param status its exit status; 127 if there is no such program, 128 and the signal if one
   *     killed it
   * @param out its standard output
   * @param err its standard error
   */
  public record Outcome(int status, String out, String err) {
    @Override
    public String toString() {
      return "status %d%n%s%s".formatted(status, out, err).strip();
    }
  }

  static GuestProgram start(GuestSystem system, int number, List<String> words) throws IOException {
    String output = "/tmp/program-" + number;
    List<String> shell = new ArrayList<>(List.of("/bin/sh", "-c", REDIRECT, "sh"));
    shell.add(output + ".out");
    shell.add(output + ".err");
    shell.addAll(words);
    return new GuestProgram(system, words, output, system.agent().spawn("/dev/null", shell));
  }

  /** Its process, and the group of all that it starts. */
  public int pid() {
    return pid;
  }

  /**
   * Waits for its end.
   *
   * @return empty if it still runs after that time
   */
  public Optional<Outcome> await(Duration limit) throws IOException {
    if (outcome == null) {
      Optional<Integer> status = system.agent().awaitProgram(pid, limit);
      if (status.isEmpty()) {
        return Optional.empty();
      }
      outcome = new Outcome(status.get(), take(".out"), take(".err"));
    }
    return Optional.of(outcome);
  }

  /**
   * Waits for its end, and ends it if that does not come.
   *
   * @throws IOException if it had to be ended
   */
  public Outcome finish(Duration limit) throws IOException {
    Optional<Outcome> ended = await(limit);
    if (ended.isEmpty()) {
      close();
      throw new IOException(
          "%s did not end within %d s%s"
              .formatted(
                  String.join(" ", words),
                  limit.toSeconds(),
                  outcome == null ? ", nor when it was killed" : ":\n" + outcome));
    }
    return ended.get();
  }

  private String take(String suffix) throws IOException {
    try {
      String text = new String(system.readFile(output + suffix), StandardCharsets.UTF_8);
      system.agent().syscall(Syscall.UNLINK, Argument.text(output + suffix));
      return text;
    } catch (GuestErrnoException e) {
      if (!e.is(Errno.ENOENT)) {
        throw e;
      }
      return ""; // it was killed before the shell had sorted its outputs
    }
  }

  /** Asks it to end, as Ctrl-C does, unless it has ended. */
  public void interrupt() throws IOException {
    if (outcome == null) {
      kill(SIGINT);
    }
  }

  private void kill(int signal) throws IOException {
    try {
      system.agent().syscall(Syscall.KILL, Argument.of(-pid), Argument.of(signal));
    } catch (GuestErrnoException e) {
      if (!e.is(Errno.ESRCH)) {
        throw e;
      }
    }
  }

  /** Kills it, with all that it started, unless it has ended. */
  @Override
  public void close() throws IOException {
    if (outcome != null) {
      return;
    }
    kill(SIGKILL);
    await(Duration.ofSeconds(60));
  }
}
