package dev.peerbar.cli;

import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/**
 * A subcommand of {@code peerbar}, found through {@link java.util.ServiceLoader} so that modules
 * above this one can bring theirs. Implementations carry picocli's annotations; what {@link #call}
 * returns is the exit status.
 */
public interface Subcommand extends Callable<Integer> {

  /**
   * How it is understood.
   *
   * @param arguments of the whole command line, if they are known: for a command that has more
   *     options for some of them
   * @throws CommandFailedException with a sentence if what they name cannot be used
   */
  default CommandLine commandLine(List<String> arguments) {
    return new CommandLine(this);
  }
}
